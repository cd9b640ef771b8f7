/** /sign-in/upstream/… leads to a provider and back; /account/connections is where identities are connected. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { declareRoute, sendFormPage } from '../../http/index.ts'
import { notFound } from '../../kernel/index.ts'
import { userChange } from '../change-users.ts'
import { currentSession } from '../current-session.ts'
import { endOtherSessions } from '../end-other-sessions.ts'
import type { IdentityContext } from '../identity-context.ts'
import {
  connectionsPage,
  connectPage,
  type UpstreamProblem,
  upstreamProblemPage,
} from '../pages/upstream-page.ts'
import { askSecondFactor, startSession, visitOf } from '../sign-in-form.ts'
import { noteSignIn, throttled } from '../sign-in-outcome.ts'
import { declareOwnPage } from '../signed-in-form.ts'
import { issueTicket, takeTicket } from '../tickets/tickets.ts'
import { accountName } from '../user.ts'
import { beginUpstream } from './begin-upstream.ts'
import {
  deleteConnection,
  insertConnection,
  type SealedProvider,
  selectConnections,
  selectProviders,
} from './provider-store.ts'
import type { Trip } from './upstream-client.ts'
import { signInFromUpstream } from './upstream-sign-in.ts'

const access = { kind: 'public', why: 'whoever is not signed in does so elsewhere' } as const
const page = { access, page: true, documented: false, tags: ['pages'] } as const
const CALLBACK = '/sign-in/upstream/callback'
const CONNECTIONS = '/account/connections'
const TRIP_MS = 10 * 60_000
const Text = (maxLength: number) => Type.Optional(Type.String({ maxLength }))

export function upstreamRoutes(server: FastifyInstance, identity: IdentityContext): void {
  const { storage, changes, forms, issuer, providerSealer } = identity

  declareRoute(server, {
    ...page,
    method: 'GET',
    url: '/sign-in/upstream/:id',
    summary: 'Sign in at a provider',
    schema: {
      params: Type.Object({ id: Type.String({ maxLength: 100 }) }),
      querystring: Type.Object({ place: Text(500), place_mark: Text(100) }),
      response: {},
    },
    async handler(request, reply) {
      const { params, query } = request
      const binding = forms.bindingOf(request.headers)
      const place = forms.placeOf(request.headers, query)
      const provider = (await selectProviders(storage)).find(({ id }) => id === params.id)
      // Without our mark another site sent the browser here, to be signed in as whoever it is there.
      if (
        binding === undefined ||
        !forms.isOurPlace(request.headers, query) ||
        !provider ||
        provider.disabledAtMs !== null
      )
        return reply.redirect('/sign-in', 303)
      if (throttled(identity, request.ip) > 0) return say(reply, 429, 'failed', provider, place)
      const connecting = place === CONNECTIONS ? await currentSession(identity, request) : undefined
      const state = await storage.write((tx) =>
        issueTicket(tx, changes.clock, 'upstream', {
          binding,
          userId: connecting?.user.id ?? null,
          data: { provider: provider.id, place },
          lifetimeMs: TRIP_MS,
        }),
      )
      try {
        const { authorizationUrl } = await import('./upstream-client.ts')
        return reply.redirect((await authorizationUrl(tripOf(provider, state))).href, 303)
      } catch (error) {
        request.log.warn({ err: error, provider: provider.id }, 'a sign-in provider cannot be used')
        return say(reply, 502, 'failed', provider, place)
      }
    },
  })

  declareRoute(server, {
    ...page,
    method: 'GET',
    url: CALLBACK,
    summary: 'Back from a provider',
    // A provider may add what it likes; the library reads what it knows.
    schema: { querystring: Type.Object({}, { additionalProperties: true }), response: {} },
    handler: back,
  })

  async function back(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const query = new URL(request.url, issuer).searchParams
    const state = query.getAll('state').length === 1 ? (query.get('state') ?? '') : ''
    const binding = forms.bindingOf(request.headers)
    const ticket =
      binding === undefined
        ? undefined
        : await storage.write((tx) => takeTicket(tx, changes.clock, 'upstream', { secret: state, binding }))
    const provider = (await selectProviders(storage)).find(({ id }) => id === ticket?.data['provider'])
    if (!ticket || binding === undefined || !provider || provider.disabledAtMs !== null)
      return say(reply, 403, 'over', provider, '/sign-in')
    const place = String(ticket.data['place'])

    const { personOf } = await import('./upstream-client.ts')
    const person = await personOf(tripOf(provider, state), query).catch((error: unknown) => {
      request.log.warn({ err: error, provider: provider.id }, 'a sign-in at a provider failed')
      return undefined
    })
    if (!person) {
      noteSignIn(identity, request.ip, 'upstream_failed')
      return say(reply, 403, 'failed', provider, place)
    }

    const visit = { ...visitOf(identity, request), binding }
    if (ticket.userId === null) {
      const outcome = await signInFromUpstream(identity, provider, person, visit)
      if (outcome.signedIn) {
        startSession(identity, reply, outcome)
        return reply.redirect(place, 303)
      }
      if (outcome.refusal === 'second_factor')
        return askSecondFactor(identity, request, reply, { action: place }, outcome.ticket)
      return say(reply, 403, outcome.refusal === 'throttled' ? 'failed' : outcome.refusal, provider, place)
    }

    const current = await currentSession(identity, request)
    if (current?.user.id !== ticket.userId) return say(reply, 403, 'over', provider, CONNECTIONS)
    const email = person.verifiedEmail
    if (email === undefined) return say(reply, 403, 'unverified', provider, CONNECTIONS)
    const connect = await storage.write((tx) =>
      issueTicket(tx, changes.clock, 'link_upstream', {
        binding,
        userId: current.user.id,
        data: { provider: provider.id, subject: person.subject, email },
        lifetimeMs: TRIP_MS,
      }),
    )
    return sendFormPage(
      reply,
      200,
      connectPage({
        action: CONNECTIONS,
        formToken: forms.token({ binding }, CONNECTIONS, current.session.id),
        provider,
        email,
        ticket: connect,
        person: accountName(current.user),
      }),
    )
  }

  declareOwnPage<{ readonly connect?: string; readonly disconnect?: string }>(server, identity, {
    url: CONNECTIONS,
    summary: 'Sign-ins elsewhere of an account',
    recent: true,
    members: { connect: Text(100), disconnect: Text(100) },
    async show(visit, problem) {
      const providers = await selectProviders(storage)
      const mark = forms.placeMark(visit, CONNECTIONS)
      return connectionsPage({
        ...visit,
        providers: providers.filter(({ disabledAtMs }) => disabledAtMs === null),
        connections: await selectConnections(storage, visit.user.id),
        begin: ({ id }) => beginUpstream(id, CONNECTIONS, mark),
        problem,
      })
    },
    async take({ user, session, binding, by }, { connect = '', disconnect = '' }) {
      if (disconnect !== '')
        await storage.write(async (tx) => {
          if (!(await deleteConnection(tx, user.id, disconnect))) throw notFound('connection')
          changes.record(tx, by, {
            ...userChange(user.id, 'user.disconnected', { provider: disconnect }),
            feed: null,
          })
          await endOtherSessions(tx, changes, by, {
            userId: user.id,
            keep: session.id,
            reason: 'identity disconnected',
          })
        })
      if (connect === '') return { goTo: CONNECTIONS }
      const outcome = await storage.write(async (tx) => {
        const ticket = await takeTicket(tx, changes.clock, 'link_upstream', { secret: connect, binding })
        if (!ticket || ticket.userId !== user.id) return 'over'
        const { provider, subject, email } = ticket.data as Record<string, string>
        const connection = {
          providerId: String(provider),
          subject: String(subject),
          email: String(email),
          createdAtMs: changes.clock.nowMs(),
          lastUsedAtMs: null,
        }
        if (!(await insertConnection(tx, user.id, connection))) return 'taken'
        changes.record(tx, by, { ...userChange(user.id, 'user.connected', { provider }), feed: null })
        return 'done'
      })
      if (outcome === 'done') return { goTo: CONNECTIONS }
      return { page: upstreamProblemPage(outcome, 'The provider', CONNECTIONS), status: 403 }
    },
  })

  function tripOf(provider: SealedProvider, state: string): Trip {
    return {
      provider,
      clientSecret: providerSealer.open(provider.id, provider.sealedSecret),
      redirectUri: issuer + CALLBACK,
      state,
    }
  }
}

function say(
  reply: FastifyReply,
  status: number,
  problem: UpstreamProblem,
  provider: SealedProvider | undefined,
  place: string,
): FastifyReply {
  return sendFormPage(reply, status, upstreamProblemPage(problem, provider?.name ?? 'The provider', place))
}
