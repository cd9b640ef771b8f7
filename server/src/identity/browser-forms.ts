/**
 * Forms that only our own pages can send (cross-site request forgery). Four guards, each enough against the plain
 * attack: cookies are SameSite; the browser says where the request comes from (Origin, Sec-Fetch-Site); each form has a
 * token; and the token is bound to a cookie that no script reads, so that one got by another browser is worth nothing.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { deriveKey } from '../kernel/index.ts'
import { type CookieNames, cookieText, readCookie } from './cookies.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

export type FormRefusal = 'other_origin' | 'no_cookie' | 'bad_token'

/** A browser as forms know it. */
export interface Browser {
  readonly binding: string
  /** To be sent as Set-Cookie; undefined when the browser has it already. */
  readonly setCookie: string | undefined
}

/** As it comes along in a query or a form. */
export interface MarkedPlace {
  readonly place?: string
  readonly place_mark?: string
}

export class BrowserForms {
  readonly #key: Buffer
  readonly #origin: string
  readonly #cookies: CookieNames

  constructor(rootSecret: string, issuer: string, cookies: CookieNames) {
    this.#key = deriveKey(rootSecret, 'browser forms')
    this.#origin = new URL(issuer).origin
    this.#cookies = cookies
  }

  /** The browser that asks for a page with a form. */
  browserOf(headers: Headers): Browser {
    const known = this.bindingOf(headers)
    if (known !== undefined) return { binding: known, setCookie: undefined }
    const binding = randomBytes(32).toString('base64url')
    return { binding, setCookie: cookieText(this.#cookies, this.#cookies.form, binding) }
  }

  /** Says that `place` is a path of ours to go on to, which this browser got from us. */
  placeMark({ binding }: Pick<Browser, 'binding'>, place: string): string {
    return this.token({ binding }, `go on to ${place}`)
  }

  /** Whether what came along is marked as ours, for this browser. No other address leads anywhere. */
  isOurPlace(headers: Headers, { place = '', place_mark: mark = '' }: MarkedPlace): boolean {
    const binding = this.bindingOf(headers)
    if (binding === undefined || !place.startsWith('/')) return false
    const expected = Buffer.from(this.placeMark({ binding }, place))
    const given = Buffer.from(mark)
    return given.length === expected.length && timingSafeEqual(given, expected)
  }

  /** Where to go on: what came along if it is ours, else the sign-in page. */
  placeOf(headers: Headers, marked: MarkedPlace): string {
    return this.isOurPlace(headers, marked) ? (marked.place ?? '') : '/sign-in'
  }

  /** What binds the browser that sent a form; undefined when it has no cookie. */
  bindingOf(headers: Headers): string | undefined {
    return readCookie(headers['cookie'], this.#cookies.form)
  }

  /**
   * The token for one form. `action` is where it is posted to; `sessionId` where the form is about a session: a token
   * from before somebody signed in is then worth nothing after it.
   */
  token({ binding }: Pick<Browser, 'binding'>, action: string, sessionId = ''): string {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([binding, action, sessionId]))
      .digest('base64url')
  }

  /** Undefined when the request is a form of ours, from the browser that was given it. */
  refusal(headers: Headers, token: string, action: string, sessionId = ''): FormRefusal | undefined {
    const { origin, 'sec-fetch-site': site } = headers
    // `Origin: null` is what a sandboxed frame and a redirected request send.
    if (origin !== undefined && origin !== this.#origin) return 'other_origin'
    if (site !== undefined && site !== 'same-origin') return 'other_origin'
    const binding = this.bindingOf(headers)
    if (binding === undefined) return 'no_cookie'
    const expected = Buffer.from(this.token({ binding }, action, sessionId))
    const given = Buffer.from(token)
    return given.length === expected.length && timingSafeEqual(given, expected) ? undefined : 'bad_token'
  }
}
