/** The engine's own pages, in our shell: an error on the way, and signing out. */
import type { KoaContextWithOIDC } from 'oidc-provider'
import { errorPage, html, Markup, renderFormPage, type RenderedPage } from '../http/index.ts'
import { evidenceIfAny } from './evidence.ts'

interface ErrorOut {
  readonly error: string
  readonly error_description?: string
}

/** Pages are for endpoints that people visit; a program that sends `Accept: text/html` still gets JSON. */
const VISITED = new Set([
  'authorization',
  'resume',
  'code_verification',
  'device_resume',
  'end_session',
  'end_session_confirm',
  'end_session_success',
])

export function renderError(ctx: KoaContextWithOIDC, out: ErrorOut): void {
  if (!VISITED.has(ctx.oidc.route)) {
    ctx.type = 'json'
    ctx.body = out
    return
  }
  send(
    ctx,
    errorPage({
      title: 'The application asked for something that cannot be done',
      detail: sentence(out.error_description ?? out.error),
      remedy: 'Go back to the application and start again. If it happens again, tell whoever made it.',
      code: out.error,
      requestId: evidenceIfAny()?.requestId ?? '',
    }),
  )
}

export function logoutPages(issuer: string) {
  return {
    logoutSource(ctx: KoaContextWithOIDC, form: string): void {
      send(
        ctx,
        renderFormPage({
          title: 'Sign out? – Postern',
          leadsTo: [String(ctx.oidc.params?.['post_logout_redirect_uri'] ?? issuer)],
          body: html`<h1>Sign out?</h1>
            <p>${nameOf(ctx)} asks to sign you out here.</p>
            ${new Markup(form)}
            <p>
              <button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>
              <button type="submit" form="op.logoutForm" class="second">Stay signed in</button>
            </p>`,
        }),
      )
    },
    postLogoutSuccessSource(ctx: KoaContextWithOIDC): void {
      send(
        ctx,
        renderFormPage({
          title: 'Signed out – Postern',
          body: html`<h1>You are signed out</h1>
            <p>You can close this page.</p>`,
        }),
      )
    },
  }
}

export function send(ctx: KoaContextWithOIDC, { text, headers }: RenderedPage): void {
  for (const [name, value] of Object.entries(headers)) ctx.set(name, value)
  ctx.body = text
}

export function nameOf(ctx: KoaContextWithOIDC): string {
  const client = ctx.oidc.client as { clientName?: string; clientId: string } | undefined
  return client?.clientName ?? client?.clientId ?? 'An application'
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`.replace(/\.\.$/, '.')
}
