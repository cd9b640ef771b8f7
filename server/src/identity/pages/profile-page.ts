/** The account's first page: who one is here. */
import { html, type RenderedPage } from '../../http/index.ts'
import type { User } from '../user.ts'
import { accountPage, type OwnPlace, buttonForm } from './account-page.ts'
import { formStart } from './parts-page.ts'

export interface ProfileView extends OwnPlace {
  readonly user: User
  /** An e-mail can be sent. */
  readonly canVerify: boolean
  /** One is on its way. */
  readonly sent: boolean
  readonly problem?: string | undefined
}

export function profilePage(view: ProfileView): RenderedPage {
  const { action, user, canVerify, sent, problem } = view
  return accountPage({
    path: action,
    back: view.back,
    title: 'Your account',
    problem,
    body: html`<div class="who">
        ${user.username !== null && html`<p>Username: <strong>${user.username}</strong></p>`}
        ${
          user.email !== null &&
          html`<p>
            E-mail address:
            <strong>${user.email}</strong>${user.emailVerifiedAtMs === null && html` (not verified)`}
          </p>`
        }
      </div>
      ${sent && html`<div class="note" role="status"><p>An e-mail is on its way. Its link works for fifteen minutes, in this browser.</p></div>`}
      ${
        canVerify &&
        user.email !== null &&
        user.emailVerifiedAtMs === null &&
        buttonForm(view, { name: 'do', value: 'verify', label: 'Verify the address', about: user.email })
      }
      <form method="post" action="${action}">
        ${formStart(view)}
        <div class="field">
          <label for="name">Name</label>
          <input id="name" name="name" value="${user.name}" maxlength="200" autocomplete="name" />
        </div>
        <button type="submit">Save</button>
      </form>`,
  })
}
