/**
 * The sign-in form on a route, whichever route it is: the one of Postern itself, or one at which an application's request
 * waits. Where the browser goes afterwards is the route's to know; nothing in the form or the URL says it.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type, type Static } from 'typebox'
import { errorPage, sendFormPage } from '../http/index.ts'
import { cookieText, readCookie } from './cookies.ts'
import type { SignedIn } from './current-session.ts'
import type { IdentityContext } from './identity-context.ts'
import type { Application } from './pages/application.ts'
import { signInPage, type SignInProblem } from './pages/sign-in-page.ts'
import { signIn } from './sign-in.ts'

/** Where a sign-in takes place. */
export interface SignInPlace {
  /** The path that the form is posted to: the route's own. */
  readonly action: string
  readonly application?: Application | undefined
  /** Whom the application expects (`login_hint`): filled in, never trusted. */
  readonly hint?: string | undefined
}

const Field = (maxLength: number) => Type.Optional(Type.String({ maxLength }))

/** A schema for `declareRoute`, of the form's body. Longer than any right answer, so that a wrong one is told kindly. */
export const SignInForm = formSchema({ identifier: Field(1_000), password: Field(8_000) })
/** The form of a page that has nothing but a button. */
export const TokenForm = formSchema({})

export function formSchema<const M extends Parameters<typeof Type.Object>[0]>(members: M) {
  const schema = Type.Object({ form_token: Field(100), ...members })
  return { content: { 'application/x-www-form-urlencoded': { schema } } } as const
}

type SignInFields = Static<(typeof SignInForm)['content']['application/x-www-form-urlencoded']['schema']>

/** Shows the form. */
export function showSignIn(
  identity: IdentityContext,
  request: FastifyRequest,
  reply: FastifyReply,
  place: SignInPlace,
): FastifyReply {
  return showAgain(identity, request, reply, place, { identifier: place.hint })
}

/**
 * Takes what the form posted. Answers who has signed in, with the cookie set on the reply: the route redirects with 303.
 * Undefined: a page was sent that says what was wrong.
 */
export async function takeSignIn(
  identity: IdentityContext,
  request: FastifyRequest,
  reply: FastifyReply,
  place: SignInPlace,
  fields: SignInFields | null,
): Promise<SignedIn | undefined> {
  const { forms, cookies } = identity
  const { form_token: token = '', identifier = '', password = '' } = fields ?? {}
  const again = (problem: SignInProblem): undefined =>
    void showAgain(identity, request, reply, place, { identifier, problem })

  const refusal = forms.refusal(request.headers, token, place.action)
  if (refusal === 'other_origin') return void refuseOtherOrigin(request, reply)
  if (refusal !== undefined) return again({ code: 'form' })
  if (identifier.trim() === '') return again({ code: 'incomplete', missing: 'identifier' })
  if (password === '') return again({ code: 'incomplete', missing: 'password' })

  const outcome = await signIn(identity, {
    identifier,
    password,
    ip: request.ip,
    userAgent: request.headers['user-agent'],
    previous: readCookie(request.headers['cookie'], cookies.session),
  })
  if (!outcome.signedIn) {
    const { refusal, retryAfterSeconds = 1 } = outcome
    return again(refusal === 'wrong' ? { code: 'wrong' } : { code: 'throttled', retryAfterSeconds })
  }
  const { session, user, cookieValue } = outcome
  const maxAgeSeconds = Math.floor((session.expiresAtMs - session.authTimeMs) / 1000)
  reply.header('set-cookie', cookieText(cookies, cookies.session, cookieValue, maxAgeSeconds))
  return { session, user }
}

const STATUS: Readonly<Record<SignInProblem['code'], number>> = {
  incomplete: 400,
  wrong: 403,
  throttled: 429,
  form: 403,
}

function showAgain(
  { forms }: IdentityContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { action, application }: SignInPlace,
  { identifier, problem }: { identifier?: string | undefined; problem?: SignInProblem },
): FastifyReply {
  const browser = forms.browserOf(request.headers)
  if (browser.setCookie !== undefined) reply.header('set-cookie', browser.setCookie)
  if (problem?.code === 'throttled') reply.header('retry-after', String(problem.retryAfterSeconds))
  const formToken = forms.token(browser, action)
  const page = signInPage({ action, formToken, application, identifier, problem })
  return sendFormPage(reply, problem ? STATUS[problem.code] : 200, page)
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
