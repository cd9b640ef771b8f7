/**
 * The hot path: a proxy's question, answered by the same verify as every other. What is kept is the credential, never the
 * decision: host, path, method and address are judged for each request. A known caller costs no database read and no
 * write; nothing but the socket is waited for.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Problem, problemOf, problemOfDenial } from '../http/index.ts'
import {
  type Clock,
  denial,
  type Denial,
  type ErrorCode,
  PosternError,
  type Presented,
} from '../kernel/index.ts'
import type { Decision, DecisionMeter, Verifier } from '../verify/index.ts'
import { type Adapter, adapterOf, ADAPTERS, type AdapterName } from './adapters.ts'
import {
  type BrowserHost,
  type BrowserHosts,
  cookieValue,
  sessionCredential,
  withoutOwnCookies,
} from './browser-hosts.ts'
import { type IdentityHeaders, NOBODY } from './identity-headers.ts'
import type { LiveRoutes } from './live-routes.ts'
import { readHost, readPath } from './original-request.ts'
import { answerRefusal } from './present-refusal.ts'
import type { ProxyProof } from './proxy-proof.ts'
import { dropsGuarded, HeaderReader, type Read } from './read-headers.ts'
import type { GatewayRoute } from './route.ts'
import { signedInAsAsked } from './step-up.ts'

export interface GatewayPorts {
  readonly proof: ProxyProof
  readonly routes: LiveRoutes
  readonly hosts: BrowserHosts
  readonly verifier: Verifier
  readonly meter: DecisionMeter
  readonly identity: IdentityHeaders
  readonly clock: Clock
  readonly logFailure: (error: unknown) => void
}

const EVERYWHERE = { tenant: null, resources: null } as const

/** One request on its way to an answer. */
interface Asked {
  readonly response: ServerResponse
  readonly adapter: Adapter
  readonly read: Read
  readonly method: string
  readonly uri: string
  readonly origin: string
  readonly route: GatewayRoute
  readonly browserHost: BrowserHost | undefined
  readonly ip: string
}

export class Gateway {
  readonly #ports: GatewayPorts
  readonly #readers: Readonly<Record<AdapterName, HeaderReader>>

  constructor(ports: GatewayPorts) {
    this.#ports = ports
    this.#readers = Object.fromEntries(
      Object.values(ADAPTERS).map((adapter) => [adapter.name, new HeaderReader(adapter)]),
    ) as Record<AdapterName, HeaderReader>
  }

  /** False when the request is not for a gateway endpoint. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const found = adapterOf(request.url ?? '')
    if (!found) return false
    try {
      this.#answer(request, response, found.adapter, found.rest)
    } catch (error) {
      this.#fail(response, found.adapter, error)
    }
    return true
  }

  #answer(request: IncomingMessage, response: ServerResponse, adapter: Adapter, rest: string): void {
    const { proof, routes, hosts } = this.#ports
    const refuse = (code: ErrorCode, detail: string): void =>
      answerRefusal(response, adapter, problemOf(new PosternError(code, detail)), undefined)

    if (!proof.isConfigured) return refuse('gateway_not_configured', NOT_CONFIGURED)
    const read = this.#readers[adapter.name].read(request.rawHeaders)
    if (read.twice === 'secret' || !proof.accepts(read.secret, request.socket))
      return refuse('gateway_untrusted_proxy', UNTRUSTED)
    if (read.alias !== undefined) return refuse('gateway_ambiguous', ALIAS)
    if (dropsGuarded(read.connection)) return refuse('gateway_ambiguous', HOP_BY_HOP)
    if (read.twice !== undefined)
      return read.twice === 'authorization' || read.twice === 'apiKey'
        ? this.#refuse(response, adapter, denial('multiple_credentials'), undefined)
        : refuse('gateway_ambiguous', TWICE)

    const uri = adapter.headers.uri === undefined ? rest : read.uri
    const method = adapter.headers.method === undefined ? request.method : read.method
    const { proto } = read
    const host = read.host === undefined ? undefined : readHost(read.host)
    const path = uri === undefined ? undefined : readPath(uri)
    if (host === undefined || method === undefined || !METHOD.test(method))
      return refuse('gateway_ambiguous', INCOMPLETE)
    if (proto !== 'https' && proto !== 'http') return refuse('gateway_ambiguous', INCOMPLETE)
    if (uri === undefined || path === undefined) return refuse('gateway_ambiguous', AMBIGUOUS_PATH)

    const route = routes.table.match({ method, host, path })
    if (!route) return refuse('gateway_no_route', NO_ROUTE)
    this.#judge({
      response,
      adapter,
      read,
      method,
      uri,
      origin: `${proto}://${host}`,
      route,
      browserHost: hosts.of(read.host),
      ip: lastAddress(read.from),
    })
  }

  #judge(asked: Asked): void {
    const { verifier } = this.#ports
    const { route, read } = asked
    if (route.resource === null) return this.#allow(asked, NOBODY)
    const credential = readCredential(asked)
    if (typeof credential !== 'string') {
      if (credential.code === 'missing' && route.anonymous) return this.#allow(asked, NOBODY)
      return this.#deny(asked, credential, true)
    }
    const fromCookie = credential.startsWith('gws.')
    if (fromCookie && comesFromElsewhere(asked))
      return this.#deny(asked, new PosternError('gateway_ambiguous', CROSS_SITE), false)

    const decision = verifier.verify({
      credential,
      resource: route.resource,
      scopes: route.scopes,
      tenant: route.tenant ?? undefined,
      ip: asked.ip,
      url: asked.uri,
      // What a page's script sends with a key it holds gives the key away; a session's own page may send what it likes.
      origin: fromCookie ? undefined : read.origin,
      secFetchSite: fromCookie ? undefined : read.secFetchSite,
      environment: 'live',
      reach: EVERYWHERE,
    })
    if (decision instanceof Promise)
      decision.then(
        (made) => this.#settle(asked, made, fromCookie),
        (error) => this.#fail(asked.response, asked.adapter, error),
      )
    else this.#settle(asked, decision, fromCookie)
  }

  #settle(asked: Asked, decision: Decision, fromCookie: boolean): void {
    const { meter, identity, clock } = this.#ports
    const { route, ip } = asked
    const presented = decision.presented as Presented
    const refused = decision.denial ?? refusalOf(presented, route, clock.nowMs())
    if (refused) this.#deny(asked, refused, fromCookie)
    else this.#allow(asked, identity.of(presented, route.upstream ?? asked.origin, decision.asOf))
    meter.note(refused && !decision.denial ? { ...decision, denial: refused } : decision, {
      route: 'gateway',
      ip,
    })
  }

  #allow({ adapter, read, response, browserHost }: Asked, headers: readonly string[]): void {
    response.writeHead(200, cookieFor(adapter, read, browserHost, headers) as string[])
    response.end()
  }

  /** `canSignIn`: a sign-in could help, so a person is sent there. */
  #deny(asked: Asked, refusal: Denial | PosternError, canSignIn: boolean): void {
    const { response, adapter } = asked
    this.#refuse(response, adapter, refusal, canSignIn ? signInAt(asked, refusal) : undefined)
  }

  #refuse(
    response: ServerResponse,
    adapter: Adapter,
    refusal: Denial | PosternError,
    at: string | undefined,
  ): void {
    answerRefusal(response, adapter, problemFor(refusal), at)
  }

  /** Nothing is vouched for when it cannot be checked. */
  #fail(response: ServerResponse, adapter: Adapter, error: unknown): void {
    if (!(error instanceof PosternError)) this.#ports.logFailure(error)
    if (response.headersSent) response.destroy()
    else answerRefusal(response, adapter, problemOf(error), undefined)
  }
}

function problemFor(refusal: Denial | PosternError): Problem {
  return refusal instanceof PosternError ? problemOf(refusal) : problemOfDenial(refusal)
}

/** `Authorization: Bearer`, `X-API-Key`, or the host's own session; two of them are refused. */
function readCredential({ read, browserHost }: Asked): string | Denial {
  const { authorization, apiKey, cookie } = read
  const session = browserHost && cookieValue(cookie, browserHost.sessionCookie)
  const count =
    (authorization === undefined ? 0 : 1) + (apiKey === undefined ? 0 : 1) + (session === undefined ? 0 : 1)
  if (count > 1 || session === null) return denial('multiple_credentials')
  if (session !== undefined) return sessionCredential(session, (browserHost as BrowserHost).host)
  if (apiKey !== undefined) return refusedForm(apiKey) ?? apiKey
  if (authorization === undefined) return denial('missing')
  const space = authorization.indexOf(' ')
  const scheme = authorization.slice(0, space).toLowerCase()
  const text = authorization.slice(space + 1).trim()
  if (scheme !== 'bearer') return denial(space > 0 ? 'unsupported' : 'malformed')
  return refusedForm(text) ?? text
}

/** A session is taken from its cookie alone, where no script reads it. */
function refusedForm(text: string): Denial | undefined {
  if (text.includes(',') || text.includes(' ')) return denial('multiple_credentials')
  return text.startsWith('gws.') ? denial('unsupported') : undefined
}

/** What a route asks beyond what verify judges. */
function refusalOf({ principal }: Presented, route: GatewayRoute, nowMs: number): Denial | undefined {
  if (!route.credentials.includes(principal.credential.type)) return denial('unsupported')
  if (route.roles.length > 0 && !route.roles.some((role) => principal.roles.includes(role)))
    return denial('insufficient_scope')
  if (route.acrValues.length === 0 && route.maxAgeSeconds === null) return undefined
  return signedInAsAsked(principal, route, nowMs)
}

/** Cross-site request forgery: SameSite keeps other sites out, but not another host of the same site. */
function comesFromElsewhere({ method, read, browserHost }: Asked): boolean {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return false
  const { origin, secFetchSite } = read
  if (origin !== undefined) return origin !== browserHost?.origin
  return secFetchSite !== undefined && secFetchSite !== 'same-origin' && secFetchSite !== 'none'
}

/** Refusals that signing in mends. */
const MENDED_BY_SIGN_IN = new Set(['missing', 'unknown', 'expired', 'revoked', 'insufficient_authentication'])

function signInAt(
  { read, route, browserHost, method, uri }: Asked,
  refusal: Denial | PosternError,
): string | undefined {
  if (refusal instanceof PosternError || !MENDED_BY_SIGN_IN.has(refusal.code)) return undefined
  if (!browserHost || method !== 'GET' || !route.credentials.includes('session')) return undefined
  if (read.accept === undefined || !read.accept.includes('text/html')) return undefined
  const stepUp = refusal.code === 'insufficient_authentication'
  // A sign-in of another kind than people have here would only lead back.
  if (stepUp && route.maxAgeSeconds === null) return undefined
  const age = stepUp ? `&max_age=${route.maxAgeSeconds}` : ''
  return `${browserHost.origin}/.postern/sign-in?return=${encodeURIComponent(uri)}${age}`
}

function cookieFor(
  { cookie: way }: Adapter,
  { cookie }: Read,
  browserHost: BrowserHost | undefined,
  headers: readonly string[],
): readonly string[] {
  if (way === 'never' || cookie === undefined) return headers
  const kept = browserHost ? withoutOwnCookies(cookie, browserHost) : cookie
  return way === 'always' || kept !== cookie ? [...headers, 'Cookie', kept] : headers
}

function lastAddress(from: string | undefined): string {
  if (from === undefined) return ''
  const comma = from.lastIndexOf(',')
  return comma < 0 ? from.trim() : from.slice(comma + 1).trim()
}

const METHOD = /^[A-Z]{1,20}$/

const NOT_CONFIGURED =
  'This gateway is closed: POSTERN_GATEWAY_SECRET is not set, so no proxy can prove itself. docs/gateways.md says how.'
const UNTRUSTED =
  'The proxy did not prove itself: Postern-Gateway-Secret is missing, twice, or wrong, or its address is not on the list.'
const ALIAS = 'A header spells one of the identity or forwarding headers with an underscore or a dot.'
const HOP_BY_HOP = 'The Connection header names a header that carries an identity.'
const TWICE = 'A header that says which request this is came twice.'
const INCOMPLETE = "The proxy did not say the request's method, host and scheme, or they are malformed."
const AMBIGUOUS_PATH = 'The path is malformed, or can be read as more than one path.'
const NO_ROUTE = 'No route allows this host, path and method.'
const CROSS_SITE = 'This request was sent by a page of another origin.'
