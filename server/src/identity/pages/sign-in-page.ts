/** Sign in: who, a password, and for which application. */
import { html, type Markup, renderFormPage, type RenderedPage } from '../../http/index.ts'
import { LONGEST_PASSWORD_BYTES } from '../password-rules.ts'
import { type Application, leadsTo, whereOf } from './application.ts'

export interface SignInView {
  /** Where the form is posted: a path of this server. */
  readonly action: string
  readonly formToken: string
  /** Absent: the person signs in to Postern itself. */
  readonly application?: Application | undefined
  /** What was typed, or what the application suggests. Never the password. */
  readonly identifier?: string | undefined
  readonly problem?: SignInProblem | undefined
}

export type SignInProblem =
  | { readonly code: 'incomplete'; readonly missing: 'identifier' | 'password' }
  | { readonly code: 'wrong' }
  | { readonly code: 'throttled'; readonly retryAfterSeconds: number }
  /** The form was too old, from another browser, or not ours. */
  | { readonly code: 'form' }

export function signInPage(view: SignInView): RenderedPage {
  const { action, formToken, application, identifier = '', problem } = view
  const faulty = problem?.code === 'incomplete' ? problem.missing : undefined
  const first = faulty ?? (identifier === '' ? 'identifier' : 'password')
  return renderFormPage({
    title: `${problem ? 'Error: ' : ''}Sign in – Postern`,
    leadsTo: leadsTo(application),
    body: html`<h1>Sign in</h1>
      ${application && continueTo(application)} ${problem && summary(problem)}
      <form method="post" action="${action}">
        <input type="hidden" name="form_token" value="${formToken}" />
        <div class="field">
          <label for="identifier">Username or e-mail address</label>
          <input
            id="identifier"
            name="identifier"
            type="text"
            autocomplete="username"
            autocapitalize="none"
            spellcheck="false"
            maxlength="254"
            required
            value="${identifier}"
            ${attributes('identifier')}
          />
        </div>
        <div class="field">
          <label for="password">Password</label>
          <input
            id="password"
            name="password"
            type="password"
            autocomplete="current-password"
            maxlength="${LONGEST_PASSWORD_BYTES}"
            required
            ${attributes('password')}
          />
        </div>
        <button type="submit">Sign in</button>
      </form>`,
  })

  function attributes(field: 'identifier' | 'password'): Markup {
    return html`${first === field && html`autofocus`} ${faulty === field && INVALID}`
  }
}

const INVALID = html`aria-invalid="true" aria-describedby="problem"`

function continueTo(application: Application): Markup {
  const where = whereOf(application)
  return html`<p>to continue to <strong>${application.name}</strong>${where && html` at ${where}`}</p>`
}

function summary(problem: SignInProblem): Markup {
  return html`<div class="problem" role="alert" id="problem">${sentences(problem)}</div>`
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
    case 'throttled':
      return html`<p><strong>Too many tries.</strong></p>
        <p>Wait ${inWords(problem.retryAfterSeconds)}, then try again.</p>`
    case 'form':
      return html`<p><strong>This page was too old.</strong></p>
        <p>Cookies must be allowed for it to work. Please try again.</p>`
  }
}

function inWords(seconds: number): string {
  if (seconds <= 1) return 'a second'
  return seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`
}
