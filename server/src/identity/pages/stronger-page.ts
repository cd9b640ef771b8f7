/** An application asks for a stronger sign-in than its user has: what to add, and that one comes back. */
import { html, renderFormPage, type RenderedPage } from '../../http/index.ts'
import type { Factor } from '../stronger/factors.ts'
import { type Application, leadsTo } from './application.ts'
import { type FormPlace, formStart, problemBox, TOO_OLD } from './parts-page.ts'

export interface StrongerView extends FormPlace {
  readonly application?: Application | undefined
  readonly account: string
  readonly factor: Factor
  readonly problem?: 'form' | undefined
}

const WORDS: Readonly<Record<Factor, { readonly what: string; readonly why: string; readonly add: string }>> =
  {
    password: {
      what: 'a password',
      why: 'You sign in without one now.',
      add: 'Set a password',
    },
    second_factor: {
      what: 'a second factor',
      why: 'It is a code that an app on your phone shows, asked for after your password.',
      add: 'Add a second factor',
    },
    passkey: {
      what: 'a passkey',
      why: 'It signs you in with your device’s own lock, and no false site can ask for it.',
      add: 'Add a passkey',
    },
  }

export function strongerPage(view: StrongerView): RenderedPage {
  const { action, application, account, factor, problem } = view
  const { what, why, add } = WORDS[factor]
  const name = application?.name ?? 'The application'
  return renderFormPage({
    title: `${problem ? 'Error: ' : ''}One more step – Postern`,
    leadsTo: leadsTo(application),
    body: html`<h1>One more step</h1>
      ${problem && problemBox(TOO_OLD)}
      <p><strong>${name}</strong> asks for ${what}, and ${account} has none yet. ${why}</p>
      <p>Add it now; then you come back here and sign in with it.</p>
      <form method="post" action="${action}">
        ${formStart(view)}
        <button type="submit" name="add" value="${factor}">${add}</button>
        <button type="submit" name="decision" value="deny" class="second">Cancel</button>
      </form>
      <p class="faint">Cancel leads back to the application, which learns that you did not.</p>`,
  })
}

/** On the sign-in page, for somebody who has it and did not use it. */
export const NEEDED: Readonly<Record<Factor, string>> = {
  password: 'The application asks for your password, or for more than that.',
  second_factor: 'The application asks for your second factor, or for a passkey.',
  passkey: 'The application asks for your passkey.',
}
