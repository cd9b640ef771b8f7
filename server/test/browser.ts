/** A browser without scripts: it keeps cookies by path, follows redirects within the server, and fills in forms. */
import type { OAuthServer } from './oauth-server.ts'

export interface Page {
  readonly status: number
  readonly url: string
  readonly text: string
}

export class Browser {
  readonly #server: OAuthServer
  readonly #cookies = new Map<string, { value: string; path: string }>()

  constructor(server: OAuthServer) {
    this.#server = server
  }

  /** Follows redirects until a page, or until they leave the server: then the page is where they lead. */
  async visit(url: string, form?: Readonly<Record<string, string>>): Promise<Page> {
    let target = new URL(url, this.#server.issuer)
    let body: URLSearchParams | undefined = form && new URLSearchParams(form)
    for (let hop = 0; hop < 12; hop++) {
      if (target.origin !== new URL(this.#server.issuer).origin)
        return { status: 0, url: target.href, text: '' }
      const answer = await fetch(this.#server.address + target.pathname + target.search, {
        method: body ? 'POST' : 'GET',
        redirect: 'manual',
        headers: {
          cookie: this.#cookiesFor(target.pathname),
          ...(body && { origin: new URL(this.#server.issuer).origin }),
          accept: 'text/html',
        },
        ...(body && { body }),
      })
      for (const text of answer.headers.getSetCookie()) this.#keep(text)
      const location = answer.headers.get('location')
      if (location === null) return { status: answer.status, url: target.href, text: await answer.text() }
      await answer.body?.cancel()
      target = new URL(location, target)
      body = undefined
    }
    throw new Error('too many redirects')
  }

  /** Sends the form of a page, with its hidden fields and `fields`. */
  submit(page: Page, fields: Readonly<Record<string, string>>): Promise<Page> {
    const action = /<form[^>]*action="([^"]+)"/.exec(page.text)?.[1]
    if (action === undefined)
      throw new Error(`no form on ${page.url}: ${page.status} ${page.text.slice(0, 2_000)}`)
    const hidden = [...page.text.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([input]) => [
      /name="([^"]*)"/.exec(input)?.[1] ?? '',
      unescape(/value="([^"]*)"/.exec(input)?.[1] ?? ''),
    ])
    return this.visit(new URL(action, page.url).href, { ...Object.fromEntries(hidden), ...fields })
  }

  cookieNames(): string[] {
    return [...this.#cookies.keys()]
  }

  #cookiesFor(path: string): string {
    return [...this.#cookies]
      .filter(([, cookie]) => path.startsWith(cookie.path))
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ')
  }

  #keep(text: string): void {
    const [pair = '', ...attributes] = text.split(';').map((part) => part.trim())
    const equals = pair.indexOf('=')
    const name = pair.slice(0, equals)
    const value = pair.slice(equals + 1)
    const path = attributes.find((part) => /^path=/i.test(part))?.slice(5) ?? '/'
    const gone = attributes.some((part) => /^max-age=0$|^expires=Thu, 01 Jan 1970/i.test(part))
    if (gone || value === '') this.#cookies.delete(name)
    else this.#cookies.set(name, { value, path })
  }
}

function unescape(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
}
