/** `/docs/errors`: every code, what it means and what to do. The `type` of each problem points here. */
import type { FastifyInstance } from 'fastify'
import { EXPLAINED_DENIALS, EXPLAINED_ERRORS } from './error-meanings.ts'
import type { Explained } from './error-meanings.ts'
import { html, mountPage, prose } from './page.ts'
import type { Markup } from './page.ts'

export function mountErrorsPage(server: FastifyInstance): void {
  mountPage(server, '/docs/errors', () => ({
    title: 'Errors – Postern',
    body: html` <h1>Errors</h1>
      <p class="lead">
        Errors are <code>application/problem+json</code> (RFC 9457). Programs look at <code>code</code>, which
        is stable; people read <code>detail</code>. The header <code>X-Request-Id</code> finds the request in
        the server’s log.
      </p>
      <h2>Refused requests and failures</h2>
      ${codes(EXPLAINED_ERRORS)}
      <h2>Refused credentials</h2>
      <p>
        These are also the codes with which <code>POST /v1/verify</code> answers <code>"valid": false</code>.
      </p>
      ${codes(EXPLAINED_DENIALS)}`,
  }))
}

function codes(rows: readonly Explained[]): Markup {
  return html`<dl class="codes">
    ${rows.map(
      ({ code, status, meaning, remedy }) =>
        html` <dt id="${code}"><code>${code}</code> <span class="status">${status}</span></dt>
          <dd>${prose(meaning)}</dd>
          <dd>${prose(remedy)}</dd>`,
    )}
  </dl>`
}
