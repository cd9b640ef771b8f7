/** Signing out: a question, because a link on any page can lead here, and what came of it. */
import { html, renderFormPage, type RenderedPage } from '../../http/index.ts'
import { type Application, leadsTo, whereOf } from './application.ts'

export interface SignOutView {
  readonly action: string
  readonly formToken: string
  readonly person: string
  /** The application that asks for it, when one does; afterwards the browser goes back to it. */
  readonly application?: Application | undefined
  readonly problem?: 'form' | undefined
}

export function signOutPage({ action, formToken, person, application, problem }: SignOutView): RenderedPage {
  const where = application && whereOf(application)
  return renderFormPage({
    title: `${problem ? 'Error: ' : ''}Sign out – Postern`,
    leadsTo: leadsTo(application),
    body: html`<h1>Sign out?</h1>
      ${
        problem &&
        html`<div class="problem" role="alert">
          <p><strong>This page was too old.</strong> Please try again.</p>
        </div>`
      }
      <p>
        You are signed in as <strong>${person}</strong>. Signing out ends this session, and the access of
        applications that came of it.
      </p>
      ${application && html`<p>Then you go back to <strong>${application.name}</strong>${where && html` at ${where}`}.</p>`}
      <form method="post" action="${action}">
        <input type="hidden" name="form_token" value="${formToken}" />
        <button type="submit">Sign out</button>
      </form>`,
  })
}

export function signedOutPage(): RenderedPage {
  return renderFormPage({
    title: 'Signed out – Postern',
    body: html`<h1>You are signed out</h1>
      <p><a href="/sign-in">Sign in again</a></p>`,
  })
}

export interface SignedInView {
  readonly person: string
  readonly account: string
}

/** What follows a sign-in that no application asked for. */
export function signedInPage({ person, account }: SignedInView): RenderedPage {
  return renderFormPage({
    title: 'Signed in – Postern',
    body: html`<h1>You are signed in</h1>
      <div class="who">
        <p>As <strong>${person}</strong>${account !== person && html` (${account})`}.</p>
      </div>
      <p>Open the application that you want to use, or <a href="/sign-out">sign out</a>.</p>`,
  })
}
