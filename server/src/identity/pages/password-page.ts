/** A new password: of somebody who is signed in, or who came by a link. */
import { html, type RenderedPage } from '../../http/index.ts'
import { SHORTEST_BESIDE_SECOND_FACTOR, SHORTEST_PASSWORD } from '../password-rules.ts'
import { accountPage, type OwnPlace } from './account-page.ts'
import { formStart, passwordField } from './parts-page.ts'

export interface PasswordView extends OwnPlace {
  /** What password managers file it under. */
  readonly account: string
  readonly hasPassword: boolean
  readonly hasSecondFactor: boolean
  readonly script: string | undefined
  readonly problem?: string | undefined
}

export function passwordPage(view: PasswordView): RenderedPage {
  const { action, account, hasPassword, hasSecondFactor, script, problem } = view
  return accountPage({
    path: action,
    back: view.back,
    title: hasPassword ? 'Change the password' : 'Set a password',
    problem,
    script,
    body: html`<form method="post" action="${action}">
        ${formStart(view)}
        <input type="hidden" name="username" value="${account}" autocomplete="username" />
        ${passwordField({
          id: 'new_password',
          label: 'New password',
          autocomplete: 'new-password',
          hint: passwordHint(hasSecondFactor),
          canShow: script !== undefined,
        })}
        <button type="submit">${hasPassword ? 'Change' : 'Set'} the password</button>
      </form>
      <p class="faint">You stay signed in here, and are signed out everywhere else.</p>`,
  })
}

export function passwordHint(hasSecondFactor: boolean): string {
  const least = hasSecondFactor ? SHORTEST_BESIDE_SECOND_FACTOR : SHORTEST_PASSWORD
  return `At least ${least} characters, of any kind. A few words that do not belong together are a good one.`
}
