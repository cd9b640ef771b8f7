/**
 * The sign-in form on a route, whichever route it is: the one of Postern itself, or one at which an application's request
 * waits. Where the browser goes afterwards is the route's to know; nothing in the form or the URL says it.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type, type Static } from 'typebox'
import { errorPage, type RenderedPage, sendFormPage } from '../http/index.ts'
import { cookieText, readCookie } from './cookies.ts'
import type { SignedIn } from './current-session.ts'
import type { IdentityContext } from './identity-context.ts'
import type { OpenedSession, Visit } from './open-session.ts'
import type { Application } from './pages/application.ts'
import { secondFactorPage, type SecondFactorProblem } from './pages/second-factor-page.ts'
import { type PasskeyOffer, signInPage, type SignInProblem } from './pages/sign-in-page.ts'
import { pageScript } from './passkeys/page-script.ts'
import { LONGEST_RESPONSE } from './passkeys/read-response.ts'
import type { Factor } from './stronger/factors.ts'
import { signIn } from './sign-in.ts'
import { beginUpstream } from './upstream/begin-upstream.ts'
import { selectProviders } from './upstream/provider-store.ts'
import type { SignInOutcome } from './sign-in-outcome.ts'

/** Where a sign-in takes place. */
export interface SignInPlace {
  /** The path that the form is posted to: the route's own. */
  readonly action: string
  readonly application?: Application | undefined
  /** Whom the application expects (`login_hint`): filled in, never trusted. */
  readonly hint?: string | undefined
  /** Somebody is signed in, but not lately enough. */
  readonly again?: boolean | undefined
  /** Somebody is signed in, but not with this, which they have. */
  readonly needs?: Factor | undefined
}

const Field = (maxLength: number) => Type.Optional(Type.String({ maxLength }))

/** The members of the form, on whichever route. Longer than any right answer, so that a wrong one is told kindly. */
export const SIGN_IN_MEMBERS = {
  identifier: Field(1_000),
  password: Field(8_000),
  /** Instead of both: an authenticator's answer. */
  passkey: Field(LONGEST_RESPONSE),
  /** Instead of all: the second factor of a sign-in whose first was right. */
  ticket: Field(100),
  code: Field(200),
}

/** A schema for `declareRoute`, of the form's body. */
export const SignInForm = formSchema(SIGN_IN_MEMBERS)
/** The form of a page that has nothing but a button. */
export const TokenForm = formSchema({})
/** What a sign-in form has at most, an authenticator's answer included. */
export const SIGN_IN_FORM_BYTES = 65_536

export function formSchema<const M extends Parameters<typeof Type.Object>[0]>(members: M) {
  const schema = Type.Object({ form_token: Field(100), ...members })
  return { content: { 'application/x-www-form-urlencoded': { schema } } } as const
}

export type SignInFields = Static<
  (typeof SignInForm)['content']['application/x-www-form-urlencoded']['schema']
>

/** Shows the form. */
export function showSignIn(
  identity: IdentityContext,
  request: FastifyRequest,
  reply: FastifyReply,
  place: SignInPlace,
): Promise<FastifyReply> {
  return showAgain(identity, request, reply, place, { identifier: place.hint })
}

/**
 * Takes what the form posted. Answers who has signed in, with the cookie set on the reply: the route redirects with 303.
 * Undefined: a page was sent that says what was wrong, or that asks for the second factor.
 */
export async function takeSignIn(
  identity: IdentityContext,
  request: FastifyRequest,
  reply: FastifyReply,
  place: SignInPlace,
  fields: SignInFields | null,
): Promise<SignedIn | undefined> {
  const { forms } = identity
  const { form_token: token = '', identifier = '' } = fields ?? {}
  const { passkey = '', ticket = '' } = fields ?? {}
  const again = async (problem: SignInProblem): Promise<undefined> => {
    await showAgain(identity, request, reply, place, { identifier, problem })
  }

  const refusal = forms.refusal(request.headers, token, place.action)
  if (refusal === 'other_origin') return void refuseOtherOrigin(request, reply)
  const binding = forms.bindingOf(request.headers)
  if (refusal !== undefined || binding === undefined) return again({ code: 'form' })
  if (passkey === '' && ticket === '') {
    if (identifier.trim() === '') return again({ code: 'incomplete', missing: 'identifier' })
    if (!fields?.password) return again({ code: 'incomplete', missing: 'password' })
  }

  const outcome = await attempt(identity, fields ?? {}, { ...visitOf(identity, request), binding })
  if (outcome.signedIn) return startSession(identity, reply, outcome)
  const ask = (secret: string, problem?: SecondFactorProblem): undefined =>
    void askSecondFactor(identity, request, reply, place, secret, problem)
  switch (outcome.refusal) {
    case 'second_factor':
      return ask(outcome.ticket)
    case 'over':
      return again({ code: 'over' })
    case 'throttled': {
      const problem = { code: 'throttled', retryAfterSeconds: outcome.retryAfterSeconds } as const
      return ticket === '' ? again(problem) : ask(ticket, problem)
    }
    case 'wrong':
      if (ticket !== '') return ask(ticket, { code: 'wrong_code' })
      return again({ code: passkey === '' ? 'wrong' : 'wrong_passkey' })
  }
}

/** By whichever of the three was posted. What few sign-ins need is loaded with the first of them. */
async function attempt(
  identity: IdentityContext,
  { identifier = '', password = '', passkey = '', ticket = '', code = '' }: SignInFields,
  visit: Visit & { readonly binding: string },
): Promise<SignInOutcome> {
  if (passkey !== '') {
    const { signInWithPasskey } = await import('./passkeys/sign-in-with-passkey.ts')
    return signInWithPasskey(identity, { ...visit, response: passkey })
  }
  if (ticket !== '') {
    const { secondFactor } = await import('./second-factor.ts')
    return secondFactor(identity, { ...visit, ticket, code })
  }
  return signIn(identity, { ...visit, identifier, password })
}

export function visitOf({ cookies }: IdentityContext, request: FastifyRequest): Visit {
  return {
    ip: request.ip,
    userAgent: request.headers['user-agent'],
    previous: readCookie(request.headers['cookie'], cookies.session),
  }
}

/** Sets the cookie of a session that has just been opened. */
export function startSession(
  { cookies }: IdentityContext,
  reply: FastifyReply,
  { session, user, cookieValue }: SignedIn & OpenedSession,
): SignedIn {
  const maxAgeSeconds = Math.floor((session.expiresAtMs - session.authTimeMs) / 1000)
  reply.header('set-cookie', cookieText(cookies, cookies.session, cookieValue, maxAgeSeconds))
  return { session, user }
}

const STATUS: Readonly<Record<SignInProblem['code'], number>> = {
  incomplete: 400,
  wrong: 403,
  wrong_passkey: 403,
  throttled: 429,
  over: 403,
  form: 403,
}

async function showAgain(
  identity: IdentityContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { action, application, again, needs }: SignInPlace,
  { identifier, problem }: { identifier?: string | undefined; problem?: SignInProblem },
): Promise<FastifyReply> {
  const providers = again === true ? [] : await selectProviders(identity.storage)
  return sendWithToken(identity, request, reply, {
    action,
    status: problem ? STATUS[problem.code] : 200,
    problem,
    page: (formToken, binding) =>
      signInPage({
        action,
        formToken,
        application,
        again,
        needs,
        identifier,
        problem,
        passkeys: passkeyOffer(identity, binding),
        elsewhere: providers
          .filter(({ disabledAtMs }) => disabledAtMs === null)
          .map(({ id, name }) => ({
            name,
            href: beginUpstream(id, action, identity.forms.placeMark({ binding }, action)),
          })),
        ways: again === true ? [] : waysOf(identity, binding, action),
      }),
  })
}

/** The answer to a right first factor: a page for this browser, and no session. */
export function askSecondFactor(
  identity: IdentityContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { action, application }: SignInPlace,
  ticket: string,
  problem?: SecondFactorProblem,
): FastifyReply {
  return sendWithToken(identity, request, reply, {
    action,
    status: problem === undefined ? 200 : problem.code === 'throttled' ? 429 : 403,
    problem,
    page: (formToken) => secondFactorPage({ action, formToken, application, ticket, problem }),
  })
}

/** What else a stranger can do, each coming back to this place. */
function waysOf({ post, forms, signUp }: IdentityContext, binding: string, action: string) {
  if (!post) return []
  const query = new URLSearchParams({ place: action, place_mark: forms.placeMark({ binding }, action) })
  return [
    { href: `/sign-in/link?${query}`, text: 'Sign in by e-mail' },
    { href: `/reset-password?${query}`, text: 'Set a new password' },
    ...(signUp.open ? [{ href: `/sign-up?${query}`, text: 'Create an account' }] : []),
  ]
}

function passkeyOffer(
  { relyingParty, challenges }: IdentityContext,
  binding: string,
): PasskeyOffer | undefined {
  return (
    relyingParty && {
      challenge: challenges.make('sign_in', binding),
      relyingPartyId: relyingParty.id,
      script: pageScript().url,
    }
  )
}

function sendWithToken(
  { forms }: IdentityContext,
  request: FastifyRequest,
  reply: FastifyReply,
  {
    action,
    status,
    problem,
    page,
  }: {
    readonly action: string
    readonly status: number
    readonly problem: SignInProblem | SecondFactorProblem | undefined
    readonly page: (formToken: string, binding: string) => RenderedPage
  },
): FastifyReply {
  const browser = forms.browserOf(request.headers)
  if (browser.setCookie !== undefined) reply.header('set-cookie', browser.setCookie)
  if (problem?.code === 'throttled') reply.header('retry-after', String(problem.retryAfterSeconds))
  return sendFormPage(reply, status, page(forms.token(browser, action), browser.binding))
}

/** A form that another site sent, or one of ours opened under another name of this server. */
export function refuseOtherOrigin(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const page = errorPage({
    title: 'This form did not come from here',
    detail: 'Another site sent it, or this page was opened under another address than its own.',
    remedy: 'Go back to the application that you came from, and start again from there.',
    code: 'forbidden',
    requestId: request.id,
  })
  return sendFormPage(reply, 403, page)
}
