/** Sign in: who, a password or a passkey, and for which application. */
import { html, type Markup, renderFormPage, type RenderedPage } from '../../http/index.ts'
import type { Factor } from '../stronger/factors.ts'
import { type Application, leadsTo, whereOf } from './application.ts'
import {
  type FormPlace,
  formStart,
  INVALID,
  passkeyForm,
  passwordField,
  problemBox,
  TOO_OLD,
} from './parts-page.ts'
import { NEEDED } from './stronger-page.ts'
import { waitInWords } from './wait-words.ts'

export interface SignInView extends FormPlace {
  /** Absent: the person signs in to Postern itself. */
  readonly application?: Application | undefined
  /** Somebody is signed in, but not lately enough for what they are about to do. */
  readonly again?: boolean | undefined
  /** They are signed in, but not with this. */
  readonly needs?: Factor | undefined
  /** What was typed, or what the application suggests. Never the password. */
  readonly identifier?: string | undefined
  readonly problem?: SignInProblem | undefined
  /** Other ways: links by e-mail, a new account. */
  readonly ways?: readonly { readonly href: string; readonly text: string }[] | undefined
  /** Where one may sign in instead. */
  readonly elsewhere?: readonly { readonly href: string; readonly name: string }[] | undefined
  /** Absent where there can be no passkeys. */
  readonly passkeys?: PasskeyOffer | undefined
}

/** What the browser is asked, and the script that asks it. */
export interface PasskeyOffer {
  readonly challenge: string
  readonly relyingPartyId: string
  readonly script: string
}

export type SignInProblem =
  | { readonly code: 'incomplete'; readonly missing: 'identifier' | 'password' }
  | { readonly code: 'wrong' }
  | { readonly code: 'wrong_passkey' }
  | { readonly code: 'throttled'; readonly retryAfterSeconds: number }
  /** The second factor came too late, or was tried too often. */
  | { readonly code: 'over' }
  /** The form was too old, from another browser, or not ours. */
  | { readonly code: 'form' }

export function signInPage(view: SignInView): RenderedPage {
  const {
    action,
    application,
    again,
    needs,
    identifier = '',
    problem,
    passkeys,
    ways = [],
    elsewhere = [],
  } = view
  const faulty = problem?.code === 'incomplete' ? problem.missing : undefined
  const first = faulty ?? (identifier === '' ? 'identifier' : 'password')
  return renderFormPage({
    title: `${problem ? 'Error: ' : ''}Sign in – Postern`,
    leadsTo: leadsTo(application),
    script: passkeys?.script,
    body: html`<h1>Sign in${(again || needs) && html` again`}</h1>
      ${application && continueTo(application)}
      ${again && html`<p>What you are about to do needs a sign-in of the last ten minutes.</p>`}
      ${needs && html`<p class="note">${NEEDED[needs]}</p>`} ${problem && problemBox(sentences(problem))}
      <form method="post" action="${action}">
        ${formStart(view)}
        <div class="field">
          <label for="identifier">Username or e-mail address</label>
          <input
            id="identifier"
            name="identifier"
            type="text"
            autocomplete="username webauthn"
            autocapitalize="none"
            spellcheck="false"
            maxlength="254"
            required
            value="${identifier}"
            ${attributes('identifier')}
          />
        </div>
        ${passwordField({
          id: 'password',
          label: 'Password',
          autocomplete: 'current-password',
          attributes: attributes('password'),
          canShow: passkeys !== undefined,
        })}
        <button type="submit">Sign in</button>
      </form>
      ${passkeys && passkeyForm(view, { options: optionsOf(passkeys), button: 'Use a passkey', isAutofilled: true })}
      ${
        elsewhere.length > 0 &&
        html`<ul class="elsewhere">
          ${elsewhere.map(({ href, name }) => html`<li><a class="button" href="${href}">Continue with ${name}</a></li>`)}
        </ul>`
      }
      ${
        ways.length > 0 &&
        html`<ul class="links">
          ${ways.map(({ href, text }) => html`<li><a href="${href}">${text}</a></li>`)}
        </ul>`
      }`,
  })

  function attributes(field: 'identifier' | 'password'): Markup {
    return html`${first === field && html`autofocus`} ${faulty === field && INVALID}`
  }
}

/** WebAuthn's request options: any passkey of this site, and only with its person's check. */
function optionsOf({ challenge, relyingPartyId }: PasskeyOffer): object {
  return { challenge, rpId: relyingPartyId, userVerification: 'required', timeout: 300_000 }
}

function continueTo(application: Application): Markup {
  const where = whereOf(application)
  return html`<p>to continue to <strong>${application.name}</strong>${where && html` at ${where}`}</p>`
}

function sentences(problem: SignInProblem): Markup {
  switch (problem.code) {
    case 'incomplete':
      return problem.missing === 'identifier'
        ? html`<p><a href="#identifier">Type your username or e-mail address.</a></p>`
        : html`<p><a href="#password">Type your password.</a></p>`
    case 'wrong':
      return html`<p><strong>That did not work.</strong></p>
        <p>The username, e-mail address or password is not right, or the account cannot sign in.</p>`
    case 'wrong_passkey':
      return html`<p><strong>That passkey did not work.</strong></p>
        <p>It may have been removed from the account. Try again, or choose another way.</p>`
    case 'throttled':
      return html`<p><strong>Too many tries.</strong></p>
        <p>Wait ${waitInWords(problem.retryAfterSeconds)}, then try again.</p>`
    case 'over':
      return html`<p><strong>Please begin again.</strong></p>
        <p>The second factor took too long, or was tried too often.</p>`
    case 'form':
      return TOO_OLD
  }
}
