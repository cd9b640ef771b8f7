/**
 * Pages for people, without a script: one shell, one style sheet, text that is always escaped. The policy allows that
 * style sheet by its hash and nothing else, so that injected markup could neither run nor load anything.
 */
import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { declareRoute } from './declare-route.ts'
import { STYLE } from './page-style.ts'

/** Markup that is safe to embed. Made by `html` alone. */
export class Markup {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Part = string | number | Markup | readonly Markup[] | undefined | false

/** A template whose values are escaped, unless they are markup already. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(
    strings.map((text, index) => text + (index < parts.length ? shown(parts[index]) : '')).join(''),
  )
}

function shown(part: Part): string {
  if (part === undefined || part === false) return ''
  if (part instanceof Markup) return part.text
  if (typeof part === 'object') return part.map((one) => one.text).join('')
  return String(part).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
}

/** A sentence with `code` in backticks, and nothing else of Markdown. */
export function prose(text: string): Markup {
  return new Markup(
    text
      .split('`')
      .map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : html`${part}`).text)
      .join(''),
  )
}

// One piece: the formatter of templates would put spaces into the element, and the hash would not fit.
const STYLE_ELEMENT = new Markup(`<style>${STYLE}</style>`)
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

export interface Page {
  readonly title: string
  readonly body: Markup
}

const HEAD_LINKS = [
  ['/', 'Postern'],
  ['/docs', 'API'],
  ['/docs/errors', 'Errors'],
  ['/openapi.json', 'OpenAPI'],
] as const

export function pageText({ title, body }: Page, path: string): string {
  const links = HEAD_LINKS.map(([href, name]) =>
    href === path
      ? html`<a href="${href}" aria-current="page">${name}</a>`
      : html`<a href="${href}">${name}</a>`,
  )
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <header><nav aria-label="Pages">${links}</nav></header>
        <main>${body}</main>
      </body>
    </html>`.text.trim()
}

/** A public page at `url`, made once: pages hold nothing that changes while the process runs. */
export function mountPage(server: FastifyInstance, url: string, make: () => Page | Promise<Page>): void {
  let text: string | undefined
  declareRoute(server, {
    method: 'GET',
    url,
    access: { kind: 'public', why: 'a page without secrets' },
    summary: `The page ${url}`,
    tags: ['pages'],
    documented: false,
    schema: { response: {} },
    handler: async (_request, reply) => sendPage(reply, (text ??= pageText(await make(), url))),
  })
}

function sendPage(reply: FastifyReply, text: string): FastifyReply {
  return reply
    .header('content-type', 'text/html; charset=utf-8')
    .header('content-security-policy', POLICY)
    .header('cache-control', 'no-cache')
    .send(text)
}
