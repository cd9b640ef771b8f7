/**
 * The hot path: a proxy's question, answered by the same verify as every other. What is kept is the credential, never the
 * decision: host, path, method and address are judged for each request. A known caller costs no database read and no
 * write; nothing but the socket is waited for.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { problemOf, problemOfDenial } from '../http/index.ts'
import {
  denial,
  type Denial,
  type DenialCode,
  type ErrorCode,
  PosternError,
  type Presented,
} from '../kernel/index.ts'
import { isOurAcr, sufficientAcrs } from '../identity/index.ts'
import { type LimitState, rateLimitHeaders } from '../limits/index.ts'
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
import { answerRefusal, wantsPage } from './present-refusal.ts'
import type { ProxyProof } from './proxy-proof.ts'
import { dropsGuarded, HeaderReader, type Read, type Role } from './read-headers.ts'
import type { GatewayRoute } from './route.ts'
import { type AnswerHead, sendAllowed } from './send-allowed.ts'

export interface GatewayPorts {
  readonly proof: ProxyProof
  readonly routes: LiveRoutes
  readonly hosts: BrowserHosts
  readonly verifier: Verifier
  readonly meter: DecisionMeter
  readonly identity: IdentityHeaders
  readonly logFailure: (error: unknown) => void
}

type Limited = readonly LimitState[]

const EVERYWHERE = { tenant: null, resources: null } as const

/** One request on its way to an answer. */
interface Asked {
  readonly response: ServerResponse
  readonly adapter: Adapter
  readonly read: Read
  readonly method: string
  readonly uri: string
  /** Without the port, as the identity token's audience has it. */
  readonly origin: string
  /** As it was called, port and all. */
  readonly url: string
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
    let accept: string | undefined
    const refuse = (code: ErrorCode, detail: string): void =>
      answerRefusal({ response, adapter, accept }, problemOf(new PosternError(code, detail)))

    if (!proof.isConfigured) return refuse('gateway_not_configured', NOT_CONFIGURED)
    const read = this.#readers[adapter.name].read(request.rawHeaders)
    if (read.twice === 'secret' || !proof.accepts(read.secret, request.socket))
      return refuse('gateway_untrusted_proxy', UNTRUSTED)
    accept = read.accept
    if (read.alias !== undefined) return refuse('gateway_ambiguous', ALIAS)
    if (dropsGuarded(read.connection)) return refuse('gateway_ambiguous', HOP_BY_HOP)
    if (read.twice !== undefined) {
      const code = TWICE_DENIED[read.twice]
      if (code === undefined) return refuse('gateway_ambiguous', TWICE)
      return answerRefusal({ response, adapter, accept }, problemOfDenial(denial(code)))
    }

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
      url: `${proto}://${read.host as string}${uri}`,
      route,
      browserHost: hosts.of(read.host),
      ip: lastAddress(read.from),
    })
  }

  #judge(asked: Asked): void {
    const { verifier } = this.#ports
    const { route, read } = asked
    if (route.resource === null) return this.#allow(asked, NOBODY)
    const sent = readCredential(asked)
    if ('valid' in sent) {
      if (sent.code === 'missing' && route.anonymous) return this.#allow(asked, NOBODY)
      return this.#deny(asked, sent, true)
    }
    const fromCookie = sent.scheme === 'session'
    if (fromCookie && comesFromElsewhere(asked))
      return this.#deny(asked, new PosternError('gateway_ambiguous', CROSS_SITE), false)

    const decision = verifier.verify({
      credential: sent.text,
      resource: route.resource,
      scopes: route.scopes,
      roles: route.roles,
      kinds: route.credentials,
      tenant: route.tenant ?? undefined,
      ip: asked.ip,
      method: asked.method,
      url: asked.url,
      dpop: sent.dpop,
      // What a page's script sends with a key it holds gives the key away; a session's own page may send what it likes.
      origin: fromCookie ? undefined : read.origin,
      secFetchSite: fromCookie ? undefined : read.secFetchSite,
      environment: 'live',
      acrValues: route.acrValues.length === 0 ? undefined : sufficientAcrs(route.acrValues),
      maxAgeSeconds: route.maxAgeSeconds ?? undefined,
      cost: 1,
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
    const { meter, identity } = this.#ports
    const { route, ip } = asked
    const { denial: refused, limits } = decision
    if (refused) this.#deny(asked, refused, fromCookie, limits)
    else
      this.#allow(
        asked,
        identity.of(decision.presented as Presented, route.upstream ?? asked.origin, decision.asOf),
        limits,
      )
    meter.note(decision, { route: 'gateway', ip, scopes: route.scopes })
  }

  #allow({ adapter, read, response, browserHost }: Asked, head: AnswerHead, limits?: Limited): void {
    const more = cookieFor(adapter, read, browserHost)
    if (limits) more.push(...rateLimitHeaders(limits))
    sendAllowed(response, head, more)
  }

  /** `canSignIn`: a sign-in could help, so a person is sent there. */
  #deny(asked: Asked, refusal: Denial | PosternError, canSignIn: boolean, limits?: Limited): void {
    answerRefusal(
      { response: asked.response, adapter: asked.adapter, accept: asked.read.accept },
      refusal instanceof PosternError ? problemOf(refusal) : problemOfDenial(refusal),
      {
        signInAt: canSignIn ? signInAt(asked, refusal) : undefined,
        headers: limits && rateLimitHeaders(limits),
      },
    )
  }

  /** Nothing is vouched for when it cannot be checked. */
  #fail(response: ServerResponse, adapter: Adapter, error: unknown): void {
    if (!(error instanceof PosternError)) this.#ports.logFailure(error)
    if (response.headersSent) response.destroy()
    else answerRefusal({ response, adapter, accept: undefined }, problemOf(error))
  }
}

interface Sent {
  readonly scheme: 'bearer' | 'dpop' | 'api_key' | 'session'
  readonly text: string
  readonly dpop?: string | undefined
}

/** `Authorization: Bearer` or `DPoP`, `X-API-Key`, or the host's own session; two of them are refused. */
function readCredential({ read, browserHost }: Asked): Sent | Denial {
  const { authorization, apiKey, cookie } = read
  const session = browserHost && cookieValue(cookie, browserHost.sessionCookie)
  const count =
    (authorization === undefined ? 0 : 1) + (apiKey === undefined ? 0 : 1) + (session === undefined ? 0 : 1)
  if (count > 1 || session === null) return denial('multiple_credentials')
  if (session !== undefined)
    return { scheme: 'session', text: sessionCredential(session, (browserHost as BrowserHost).host) }
  if (apiKey !== undefined) return refusedForm(apiKey) ?? { scheme: 'api_key', text: apiKey }
  if (authorization === undefined) return denial('missing')
  const space = authorization.indexOf(' ')
  const scheme = authorization.slice(0, space).toLowerCase()
  const text = authorization.slice(space + 1).trim()
  if (scheme !== 'bearer' && scheme !== 'dpop') return denial(space > 0 ? 'unsupported' : 'malformed')
  const refused = refusedForm(text)
  if (refused || scheme === 'bearer') return refused ?? { scheme, text }
  // RFC 9449, section 7.1: bound tokens come with this scheme and a proof, or not at all.
  return read.dpop === undefined ? denial('proof_required') : { scheme, text, dpop: read.dpop }
}

/** A session is taken from its cookie alone, where no script reads it. */
function refusedForm(text: string): Denial | undefined {
  if (text.includes(',') || text.includes(' ')) return denial('multiple_credentials')
  return text.startsWith('gws.') ? denial('unsupported') : undefined
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
  if (!wantsPage(read.accept)) return undefined
  const { acrValues, maxAgeSeconds } = route
  // A sign-in of another kind than people have here would only lead back.
  if (acrValues.length > 0 && !sufficientAcrs(acrValues).some(isOurAcr)) return undefined
  const acr = acrValues.length > 0 ? `&acr_values=${encodeURIComponent(acrValues.join(' '))}` : ''
  const age = maxAgeSeconds === null ? '' : `&max_age=${maxAgeSeconds}`
  return `${browserHost.origin}/.postern/sign-in?return=${encodeURIComponent(uri)}${acr}${age}`
}

/** The request's Cookie for the upstream, where the answer is to carry it. */
function cookieFor(
  { cookie: way }: Adapter,
  { cookie }: Read,
  browserHost: BrowserHost | undefined,
): string[] {
  if (way === 'never' || cookie === undefined) return []
  const kept = browserHost ? withoutOwnCookies(cookie, browserHost) : cookie
  return way === 'always' || kept !== cookie ? ['Cookie', kept] : []
}

function lastAddress(from: string | undefined): string {
  if (from === undefined) return ''
  const comma = from.lastIndexOf(',')
  return comma < 0 ? from.trim() : from.slice(comma + 1).trim()
}

const METHOD = /^[A-Z]{1,20}$/

/** What it is when one of these comes twice; of every other header it is the request that is ambiguous. */
const TWICE_DENIED: Readonly<Partial<Record<Role, DenialCode>>> = {
  authorization: 'multiple_credentials',
  apiKey: 'multiple_credentials',
  dpop: 'proof_invalid',
}

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
