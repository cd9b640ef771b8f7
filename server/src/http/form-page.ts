/**
 * Pages with a form: sign-in, consent, errors on the way. A shell of their own without navigation, narrow, working
 * without a script. Their policy lets a form be sent here and, because browsers hold the policy against the redirects
 * that follow as well, to where the application waits.
 */
import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { FORM_STYLE } from './form-page-style.ts'
import { html, Markup } from './page.ts'

export interface FormPage {
  readonly title: string
  readonly body: Markup
  /** Where the answer to the form may redirect, as URIs; this origin need not be said. */
  readonly leadsTo?: readonly string[]
  /** A path of this server: the page's script. Without one the policy lets none run. */
  readonly script?: string | undefined
}

export interface RenderedPage {
  readonly text: string
  readonly headers: Readonly<Record<string, string>>
}

const STYLE_HASH = createHash('sha256').update(FORM_STYLE).digest('base64')
// No white space around the style: its hash is over everything between the tags.
const STYLE_ELEMENT = new Markup(`<style>${FORM_STYLE}</style>`)

export function renderFormPage({ title, body, leadsTo = [], script }: FormPage): RenderedPage {
  const text = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>${title}</title>
        ${STYLE_ELEMENT} ${script !== undefined && html`<script src="${script}" defer></script>`}
      </head>
      <body>
        <main>${body}</main>
      </body>
    </html> `.text
  const targets = ["'self'", ...new Set(leadsTo.map(formTarget).filter((target) => target !== undefined))]
  return {
    text,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; ${script === undefined ? '' : "script-src 'self'; "}base-uri 'none'; form-action ${targets.join(' ')}; frame-ancestors 'none'`,
      'x-frame-options': 'DENY',
      'cache-control': 'no-store',
      // With `no-referrer` browsers send `Origin: null` along with our own forms, which is what a forged one looks like.
      'referrer-policy': 'same-origin',
    },
  }
}

export function sendFormPage(reply: FastifyReply, status: number, page: RenderedPage): FastifyReply {
  return reply.status(status).headers(page.headers).send(page.text)
}

/** A source expression for the URI: its origin, or its scheme where the policy's grammar has no word for the host. */
function formTarget(uri: string): string | undefined {
  if (!URL.canParse(uri)) return undefined
  const { protocol, origin, hostname } = new URL(uri)
  const isWeb = protocol === 'https:' || protocol === 'http:'
  const target = isWeb && !hostname.startsWith('[') ? origin : protocol
  return /^[a-z][a-z0-9+.-]*:(?:\/\/[a-z0-9.-]+(?::\d+)?)?$/.test(target) ? target : undefined
}
