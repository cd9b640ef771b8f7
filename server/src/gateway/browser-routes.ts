/**
 * The pages between an application's host and the sign-in: `/.postern/…` on each protected host, where the proxy hands
 * them to this server, and `/sign-in/app` on the issuer's own.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { declareRoute, errorPage, sendFormPage } from '../http/index.ts'
import {
  cookieText,
  currentSession,
  type IdentityContext,
  type Session,
  satisfiesAcr,
  showSignIn,
  SIGN_IN_FORM_BYTES,
  SignInForm,
  takeSignIn,
} from '../identity/index.ts'
import { hashOf, issueCode, newSecret, redeemCode, type SessionPorts } from './begin-session.ts'
import { type BrowserHost, type BrowserHosts, cookieValue, isReturnPath } from './browser-hosts.ts'

export interface BrowserRoutes extends SessionPorts {
  readonly hosts: BrowserHosts
  readonly identity: IdentityContext
  readonly issuer: string
}

const access = { kind: 'public', why: 'whoever is not signed in must be able to' } as const
const page = { access, page: true, documented: false, tags: ['pages'] } as const
const SIGN_IN = '/sign-in/app'
const STATE_SECONDS = 600
const Text = (longest: number) => Type.Optional(Type.String({ maxLength: longest }))

/** What the route asks of the sign-in (RFC 9470). */
const Wanted = { acr_values: Text(2_500), max_age: Text(10) }
const Start = Type.Object({ return: Text(4_000), ...Wanted })
const Asked = Type.Object({ origin: Text(300), state: Text(100), return: Text(4_000), ...Wanted })
const Callback = Type.Object({ code: Text(100) })

/** Where a sign-in is to lead. */
interface Destination {
  readonly host: BrowserHost
  readonly stateHash: string
  readonly returnTo: string
  /** Any of these will do; empty: however. */
  readonly acrValues: readonly string[]
  readonly maxAgeSeconds: number | undefined
}

export function browserRoutes(server: FastifyInstance, ports: BrowserRoutes): void {
  const { hosts, identity, issuer, clock } = ports

  declareRoute(server, {
    ...page,
    method: 'GET',
    url: '/.postern/sign-in',
    summary: 'Begin a sign-in on a protected host',
    schema: { querystring: Start, response: {} },
    handler(request, reply) {
      const host = hosts.of(request.headers.host)
      if (!host) return refuse(request, reply, 'unknown_host')
      const state = newSecret()
      setCookie(reply, host, host.stateCookie, state, STATE_SECONDS)
      const { return: wanted = '/', acr_values: acrValues, max_age: maxAge } = request.query
      const target = new URL(issuer + SIGN_IN)
      target.searchParams.set('origin', host.origin)
      target.searchParams.set('state', hashOf(state))
      target.searchParams.set('return', isReturnPath(wanted) ? wanted : '/')
      if (acrValues !== undefined) target.searchParams.set('acr_values', acrValues)
      if (maxAge !== undefined) target.searchParams.set('max_age', maxAge)
      return reply.redirect(target.href, 303)
    },
  })

  declareRoute(server, {
    ...page,
    method: 'GET',
    url: SIGN_IN,
    summary: 'Sign in for a protected host',
    schema: { querystring: Asked, response: {} },
    async handler(request, reply) {
      const destination = readDestination(request.query)
      if (!destination) return refuse(request, reply, 'unknown_host')
      const current = await currentSession(identity, request)
      if (current && isFresh(current.session, destination) && isStrong(current.session, destination))
        return lead(reply, current.session, destination)
      return showSignIn(identity, request, reply, placeOf(request, destination))
    },
  })

  declareRoute(server, {
    ...page,
    method: 'POST',
    url: SIGN_IN,
    summary: 'Sign in for a protected host',
    form: true,
    bodyLimit: SIGN_IN_FORM_BYTES,
    schema: { querystring: Asked, body: SignInForm, response: {} },
    async handler(request, reply) {
      const destination = readDestination(request.query)
      if (!destination) return refuse(request, reply, 'unknown_host')
      const place = placeOf(request, destination)
      const signedIn = await takeSignIn(identity, request, reply, place, request.body)
      if (signedIn === undefined) return reply
      // Asked again, this user would come by the same way in.
      if (!isStrong(signedIn.session, destination)) return refuse(request, reply, 'too_weak')
      return lead(reply, signedIn.session, destination)
    },
  })

  declareRoute(server, {
    ...page,
    method: 'GET',
    url: '/.postern/callback',
    summary: 'End a sign-in on a protected host',
    schema: { querystring: Callback, response: {} },
    async handler(request, reply) {
      const host = hosts.of(request.headers.host)
      if (!host) return refuse(request, reply, 'unknown_host')
      const state = cookieValue(request.headers.cookie, host.stateCookie) ?? undefined
      const begun = await redeemCode(ports, request.query.code ?? '', { host, state })
      if (!begun) return refuse(request, reply, 'not_this_browser')
      setCookie(reply, host, host.sessionCookie, begun.value, begun.maxAgeSeconds)
      setCookie(reply, host, host.stateCookie, '', 0)
      return reply.redirect(host.origin + begun.returnTo, 303)
    },
  })

  declareRoute(server, {
    ...page,
    method: 'GET',
    url: '/.postern/sign-out',
    summary: 'To the page on which one signs out',
    schema: { response: {} },
    handler: (request, reply) =>
      hosts.of(request.headers.host)
        ? reply.redirect(`${issuer}/sign-out`, 303)
        : refuse(request, reply, 'unknown_host'),
  })

  async function lead(
    reply: FastifyReply,
    session: Session,
    destination: Destination,
  ): Promise<FastifyReply> {
    const code = await issueCode(ports, session, destination)
    return reply.redirect(`${destination.host.origin}/.postern/callback?code=${code}`, 303)
  }

  /** Only to hosts on the list: anything else would hand a sign-in to whoever wrote the link. */
  function readDestination(query: Static<typeof Asked>): Destination | undefined {
    const {
      origin = '',
      state = '',
      return: wanted = '/',
      acr_values: acrValues = '',
      max_age: maxAge,
    } = query
    const host = hosts.ofOrigin(origin)
    if (!host || !/^[\w-]{43}$/.test(state) || !isReturnPath(wanted)) return undefined
    if (maxAge !== undefined && !/^\d{1,9}$/.test(maxAge)) return undefined
    return {
      host,
      stateHash: state,
      returnTo: wanted,
      acrValues: acrValues.split(' ').filter(Boolean),
      maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge),
    }
  }

  function isFresh({ authTimeMs }: Session, { maxAgeSeconds }: Destination): boolean {
    return maxAgeSeconds === undefined || clock.nowMs() - authTimeMs <= maxAgeSeconds * 1000
  }

  function isStrong({ acr }: Session, { acrValues }: Destination): boolean {
    return acrValues.length === 0 || acrValues.some((wanted) => satisfiesAcr(acr, wanted))
  }

  function placeOf(request: FastifyRequest, { host }: Destination) {
    return {
      action: request.url,
      application: { name: host.host, redirectUri: `${host.origin}/.postern/callback` },
    }
  }
}

function setCookie(
  reply: FastifyReply,
  { secure }: BrowserHost,
  name: string,
  value: string,
  seconds: number,
): void {
  const names = { session: name, form: name, secure }
  reply.header('set-cookie', cookieText(names, name, value, seconds))
}

const REFUSALS = {
  unknown_host: {
    title: 'This page leads nowhere',
    detail: 'The address that it was to lead to is not one of the hosts that sign-ins are for.',
    remedy: 'Go back to the application. Its operator finds the list of hosts in POSTERN_GATEWAY_HOSTS.',
  },
  not_this_browser: {
    title: 'This sign-in cannot be finished here',
    detail: 'It was begun in another browser or tab, was finished already, or took too long.',
    remedy: 'Open the application again; if you are signed in already, nothing more is asked.',
  },
  too_weak: {
    title: 'This sign-in is not strong enough',
    detail: 'The page that you asked for takes a stronger way to sign in than the one you used.',
    remedy: 'Add a passkey or one-time codes to your account, then open the page again.',
  },
} as const

function refuse(request: FastifyRequest, reply: FastifyReply, why: keyof typeof REFUSALS): FastifyReply {
  return sendFormPage(reply, 403, errorPage({ ...REFUSALS[why], code: 'forbidden', requestId: request.id }))
}
