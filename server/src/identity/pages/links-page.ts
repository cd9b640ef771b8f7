/** Asking for a link by e-mail, what follows that, and what a link opens: a question, so that no mail scanner answers it. */
import { html, type Markup, renderFormPage, type RenderedPage } from '../../http/index.ts'
import { type FormPlace, formStart, passwordField, problemBox } from './parts-page.ts'
import { passwordHint } from './password-page.ts'

export type AskedLink = 'sign_in_link' | 'reset' | 'sign_up'
export type FollowedLink = AskedLink | 'verify_email'

const ASKING: Readonly<Record<AskedLink, { title: string; lead: string; button: string }>> = {
  sign_in_link: {
    title: 'Sign in by e-mail',
    lead: 'We send you a link that signs you in.',
    button: 'Send the link',
  },
  reset: {
    title: 'Set a new password',
    lead: 'We send you a link with which you set a new password.',
    button: 'Send the link',
  },
  sign_up: {
    title: 'Create an account',
    lead: 'We send a link to your address, to see that it is yours.',
    button: 'Go on',
  },
}

export interface AskForLinkView extends FormPlace {
  readonly kind: AskedLink
  /** Where the browser goes on, and that we said so. */
  readonly place: string
  readonly placeMark: string
  readonly email?: string | undefined
  readonly problem?: string | undefined
}

export function askForLinkPage(view: AskForLinkView): RenderedPage {
  const { action, kind, place, placeMark, email = '', problem } = view
  const { title, lead, button } = ASKING[kind]
  return renderFormPage({
    title: `${problem === undefined ? '' : 'Error: '}${title} – Postern`,
    body: html`<h1>${title}</h1>
      <p>${lead}</p>
      ${problem !== undefined && problemBox(html`<p><a href="#email">${problem}</a></p>`)}
      <form method="post" action="${action}">
        ${formStart(view)} <input type="hidden" name="place" value="${place}" />
        <input type="hidden" name="place_mark" value="${placeMark}" />
        <div class="field">
          <label for="email">E-mail address</label>
          <input
            id="email"
            name="email"
            type="email"
            autocomplete="email"
            maxlength="254"
            required
            autofocus
            value="${email}"
            ${problem !== undefined && html`aria-invalid="true" aria-describedby="problem"`}
          />
        </div>
        <button type="submit">${button}</button>
      </form>
      <p><a href="${place}">Back to signing in</a></p>`,
  })
}

/** The same for everybody. */
export function linkSentPage(kind: AskedLink, place: string): RenderedPage {
  return renderFormPage({
    title: 'Look into your mailbox – Postern',
    body: html`<h1>Look into your mailbox</h1>
      <p>
        ${
          kind === 'sign_up'
            ? 'If all is well with the address, an e-mail is on its way.'
            : 'If there is an account with that address, an e-mail is on its way.'
        }
        The link in it works once, for fifteen minutes, in this browser.
      </p>
      <p><a href="${place}">Back to signing in</a></p>`,
  })
}

export interface FollowLinkView extends FormPlace {
  readonly kind: FollowedLink
  readonly email: string
  readonly hasSecondFactor: boolean
  readonly script: string | undefined
  readonly problem?: string | undefined
}

export function followLinkPage(view: FollowLinkView): RenderedPage {
  const { action, kind, email, problem } = view
  const { title, fields } = question(view)
  return renderFormPage({
    title: `${problem === undefined ? '' : 'Error: '}${title} – Postern`,
    script: kind === 'reset' || kind === 'sign_up' ? view.script : undefined,
    body: html`<h1>${title}</h1>
      <div class="who"><p>${email}</p></div>
      ${problem !== undefined && problemBox(html`<p>${problem}</p>`)}
      <form method="post" action="${action}">
        ${formStart(view)}
        <input type="hidden" name="username" value="${email}" autocomplete="username" />
        ${fields}
      </form>`,
  })
}

function question({ kind, hasSecondFactor, script }: FollowLinkView): { title: string; fields: Markup } {
  const password = passwordField({
    id: 'new_password',
    label: 'Password',
    autocomplete: 'new-password',
    hint: passwordHint(hasSecondFactor),
    canShow: script !== undefined,
  })
  switch (kind) {
    case 'sign_in_link':
      return { title: 'Sign in?', fields: html`<button type="submit">Sign in</button>` }
    case 'verify_email':
      return { title: 'Is this your address?', fields: html`<button type="submit">Yes, it is mine</button>` }
    case 'reset':
      return {
        title: 'Set a new password',
        fields: html`${password} <button type="submit">Set the password</button>`,
      }
    case 'sign_up':
      return {
        title: 'Create your account',
        fields: html`<div class="field">
            <label for="name">Your name</label>
            <input id="name" name="name" maxlength="200" autocomplete="name" />
          </div>
          ${password}
          <button type="submit" name="with" value="password">Create the account</button>
          ${
            script !== undefined &&
            html`<button type="submit" class="second" name="with" value="passkey" formnovalidate>
              Use a passkey instead
            </button>`
          }`,
      }
  }
}

export function linkDonePage({
  title,
  text,
  href,
  go,
}: {
  title: string
  text: string
  href: string
  go: string
}): RenderedPage {
  return renderFormPage({
    title: `${title} – Postern`,
    body: html`<h1>${title}</h1>
      <p>${text}</p>
      <p><a href="${href}">${go}</a></p>`,
  })
}
