/**
 * Where an authorization waits for its user: sign-in, then consent. The engine says what it waits for; the pages are
 * identity's. Nothing in the URL or the form says where the browser goes afterwards: the stored request does.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Interaction, errors } from 'oidc-provider'
import { findConsent, rememberConsent } from '../clients/index.ts'
import { errorPage, sendFormPage } from '../http/index.ts'
import {
  accountName,
  type Application,
  consentPage,
  currentSession,
  displayName,
  type IdentityContext,
  refuseOtherOrigin,
  type ScopeGroup,
  showSignIn,
  type SignedIn,
  type SignInFields,
  type SignInPlace,
  missingFactor,
  takeSignIn,
  takeStronger,
} from '../identity/index.ts'
import { coarseNetwork } from '../kernel/index.ts'
import type { EngineClient } from './client-metadata.ts'
import {
  type ConsentQuestion,
  type OurGrant,
  grantOf,
  questionOf,
  tenantChoices,
} from './consented-grants.ts'
import { basePath } from './endpoints.ts'
import type { OAuthEngine } from './engine.ts'
import { evidence, withEvidence } from './evidence.ts'
import type { OAuthPorts } from './ports.ts'
import { resourceOfUri } from './resource-servers.ts'
import { meetsAcr, wantedAcrs } from './step-up.ts'

export type Fields = SignInFields & {
  decision?: string
  /** The factor to add, where the application wants one that the user has not got. */
  add?: string
  tenant?: string
}

/** One request to the page of one waiting authorization. */
interface Visit {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly waiting: Interaction
  readonly client: EngineClient
  /** The page's own path: what its forms are posted to. */
  readonly action: string
  /** Undefined: the page is only looked at. */
  readonly fields: Fields | undefined
}

type Step = (visit: Visit) => Promise<FastifyReply>

/** Answers one request to the page of a waiting authorization; without `fields` it is only looked at. */
export type Visitor = (
  request: FastifyRequest,
  reply: FastifyReply,
  uid: string,
  fields: Fields | undefined,
) => Promise<FastifyReply>

export function interactionPages(
  engine: OAuthEngine,
  ports: OAuthPorts & { readonly identity: IdentityContext },
): Visitor {
  const { identity, storage, people, changes } = ports
  const base = basePath(ports.issuer)
  const steps: Readonly<Record<string, Step>> = { login, consent }
  return visit

  async function visit(
    request: FastifyRequest,
    reply: FastifyReply,
    uid: string,
    fields: Fields | undefined,
  ): Promise<FastifyReply> {
    const { ip, id: requestId } = request
    return withEvidence(storage, { ip, requestId, route: '/interaction' }, async () => {
      const found = await waitingFor(request, reply, uid)
      const step = found && steps[found.waiting.prompt.name]
      if (!found || !step) return sayGone(reply, requestId)
      return step({ request, reply, ...found, action: `${base}/interaction/${uid}`, fields })
    })
  }

  async function waitingFor(
    request: FastifyRequest,
    reply: FastifyReply,
    uid: string,
  ): Promise<Pick<Visit, 'waiting' | 'client'> | undefined> {
    try {
      const waiting = await engine.interactionOf(request.raw, reply.raw, request.ip)
      if (waiting.uid !== uid) return undefined
      const client = await engine.provider.Client.find(String(waiting.params['client_id']))
      return client && { waiting, client: client as unknown as EngineClient }
    } catch (error) {
      if (error instanceof errors.OIDCProviderError) return undefined
      throw error
    }
  }

  /** Whoever is signed in already is not asked again, unless the application wants it newer than that. */
  async function login(visit: Visit): Promise<FastifyReply> {
    const { request, reply, waiting, client, action, fields } = visit
    const place = {
      action,
      application: applicationOf(client, waiting),
      hint: text(waiting.params['login_hint']),
    }
    const answersStronger = fields?.add !== undefined || fields?.decision !== undefined
    if (fields && !answersStronger) {
      const signedIn = await takeSignIn(identity, request, reply, place, fields)
      return signedIn ? ifStrongEnough(visit, place, signedIn) : reply
    }
    const current = await currentSession(identity, request)
    return current && isNewEnough(current, waiting, changes.clock.nowMs())
      ? ifStrongEnough(visit, place, current)
      : showSignIn(identity, request, reply, place)
  }

  /** After the last step of a sign-in. Too weak: the user is told what would do, and need not ask the application again. */
  async function ifStrongEnough(visit: Visit, place: SignInPlace, signedIn: SignedIn): Promise<FastifyReply> {
    const { request, reply, waiting, fields } = visit
    const wanted = wantedAcrs(waiting.params)
    if (meetsAcr(signedIn.session.acr, wanted)) return signedInAs(visit, signedIn)
    const missing = await missingFactor(identity, signedIn.user, wanted)
    // Nobody can sign in as is asked for.
    if (!missing || fields?.decision === 'deny') return goOn(visit, UNMET)
    return missing.has
      ? showSignIn(identity, request, reply, { ...place, needs: missing.factor })
      : takeStronger(identity, request, reply, { place, signedIn, factor: missing.factor, fields })
  }

  function signedInAs(visit: Visit, { session, user }: SignedIn): Promise<FastifyReply> {
    return goOn(visit, {
      login: {
        accountId: user.id,
        acr: session.acr,
        amr: [...session.amr],
        ts: Math.floor(session.authTimeMs / 1000),
        remember: true,
      },
    })
  }

  async function consent(visit: Visit): Promise<FastifyReply> {
    const { request, reply, waiting, client, action, fields } = visit
    const current = await currentSession(identity, request)
    // Signed out, or somebody else since: the engine asks for a sign-in again.
    if (!current || current.user.id !== waiting.session?.accountId)
      return goOn(visit, { error: 'login_required', error_description: 'the sign-in is over' })
    const { session, user } = current
    const choices = await tenantChoices(people, client, user.id).catch((error: unknown) => {
      if (error instanceof errors.AccessDenied) return []
      throw error
    })
    if (choices.length === 0) return goOn(visit, DENIED)
    const question = await questionOf(ports, client, waiting)
    const show = async (problem?: 'tenant' | 'form'): Promise<FastifyReply> => {
      const browser = identity.forms.browserOf(request.headers)
      if (browser.setCookie !== undefined) reply.header('set-cookie', browser.setCookie)
      const view = consentPage({
        action,
        formToken: identity.forms.token(browser, action, session.id),
        application: applicationOf(client, waiting),
        person: displayName(user),
        account: accountName(user),
        tenants: choices.map(({ tenantId, tenantName }) => ({ id: tenantId, name: tenantName })),
        chosenTenant: fields?.tenant,
        scopes: await inWords(question),
        problem,
      })
      return sendFormPage(reply, problem === undefined ? 200 : problem === 'form' ? 403 : 400, view)
    }
    if (!fields) return show()

    const refusal = identity.forms.refusal(request.headers, fields.form_token ?? '', action, session.id)
    if (refusal === 'other_origin') return refuseOtherOrigin(request, reply)
    if (refusal !== undefined) return show('form')
    if (fields.decision !== 'allow') return goOn(visit, DENIED)
    const chosen = choices.find(({ tenantId }) => tenantId === fields.tenant)
    if (!chosen) return show('tenant')

    const key = { userId: user.id, clientId: client.clientId, tenantId: chosen.tenantId }
    const grant: OurGrant = await grantOf(engine.provider, {
      accountId: user.id,
      client,
      tenant: chosen.tenantId,
      scopes: question,
      session: session.id,
    })
    const before = await findConsent(storage, key)
    const by = { type: 'user', id: user.id, network: coarseNetwork(request.ip) } as const
    const { rsn } = evidence()
    await storage.write((tx) => rememberConsent(tx, changes, by, key, { before, more: question, rsn }))
    return goOn(visit, { consent: { grantId: String(grant.jti) } })
  }

  async function goOn(
    { request, reply }: Visit,
    result: Parameters<OAuthEngine['finishInteraction']>[2],
  ): Promise<FastifyReply> {
    return reply.redirect(await engine.finishInteraction(request.raw, reply.raw, result), 303)
  }

  async function inWords({ openid, resources }: ConsentQuestion): Promise<ScopeGroup[]> {
    const groups: ScopeGroup[] = []
    if (openid.length > 0)
      groups.push({ api: undefined, scopes: openid.map((name) => ({ name, description: '' })) })
    for (const [uri, names] of Object.entries(resources)) {
      const resource = await resourceOfUri(storage, uri)
      if (!resource || names.length === 0) continue
      groups.push({
        api: resource.name,
        uri,
        byRole: resource.scopesByRole,
        scopes: resource.scopes.filter(({ name }) => names.includes(name)),
      })
    }
    return groups
  }
}

const DENIED = { error: 'access_denied', error_description: 'The user did not allow it.' }

/** RFC 9470, section 5. */
const UNMET = {
  error: 'unmet_authentication_requirements',
  error_description: 'The user cannot sign in as strongly as was asked for.',
}

/** `prompt=login` means a sign-in since it was asked for, whichever way; `max_age` sets how long ago it may have been. */
function isNewEnough({ session }: SignedIn, waiting: Interaction, nowMs: number): boolean {
  const { reasons, details } = waiting.prompt as { reasons: string[]; details: LoginDetails }
  const askedAtMs = Number(details.asked_at_ms ?? Number.POSITIVE_INFINITY)
  if (reasons.includes('login_prompt') && session.authTimeMs < askedAtMs) return false
  const maxAge = Number(details.max_age)
  if (details.max_age === undefined || !Number.isFinite(maxAge)) return true
  return session.authTimeMs + maxAge * 1000 >= nowMs
}

interface LoginDetails {
  readonly max_age?: unknown
  readonly asked_at_ms?: unknown
}

function applicationOf(client: EngineClient, waiting: Interaction): Application {
  return { name: client.clientName ?? client.clientId, redirectUri: text(waiting.params['redirect_uri']) }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function sayGone(reply: FastifyReply, requestId: string): FastifyReply {
  const page = errorPage({
    title: 'This page is no longer good',
    detail: 'The sign-in that it belonged to is over, or was begun in another browser.',
    remedy: 'Go back to the application that you came from, and start again from there.',
    code: 'not_found',
    requestId,
  })
  return sendFormPage(reply, 404, page)
}
