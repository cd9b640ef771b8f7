/** /sign-in and /sign-out: for people, who come here by themselves. Applications send theirs through oauth's own routes. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { declareRoute, sendFormPage } from '../http/index.ts'
import { cookieText } from './cookies.ts'
import { currentSession, type SignedIn } from './current-session.ts'
import { signOut } from './end-session.ts'
import type { IdentityContext } from './identity-context.ts'
import { signedInPage, signedOutPage, signOutPage } from './pages/sign-out-page.ts'
import {
  refuseOtherOrigin,
  showSignIn,
  SIGN_IN_FORM_BYTES,
  SignInForm,
  takeSignIn,
  TokenForm,
} from './sign-in-form.ts'
import { accountName, displayName } from './user.ts'

const access = { kind: 'public', why: 'whoever is not signed in must be able to' } as const
const page = { access, page: true, documented: false, tags: ['pages'] } as const
const SIGN_IN = { action: '/sign-in' } as const
const SIGN_OUT = '/sign-out'
const FORM_BYTES = 16_384

export function pageRoutes(server: FastifyInstance, identity: IdentityContext): void {
  declareRoute(server, {
    ...page,
    method: 'GET',
    url: '/sign-in',
    summary: 'The sign-in page',
    schema: { response: {} },
    async handler(request, reply) {
      const current = await currentSession(identity, request)
      if (!current) return showSignIn(identity, request, reply, SIGN_IN)
      const person = { person: displayName(current.user), account: accountName(current.user) }
      return sendFormPage(reply, 200, signedInPage(person))
    },
  })

  declareRoute(server, {
    ...page,
    method: 'POST',
    url: '/sign-in',
    summary: 'Sign in',
    form: true,
    bodyLimit: SIGN_IN_FORM_BYTES,
    schema: { body: SignInForm, response: {} },
    async handler(request, reply) {
      const signedIn = await takeSignIn(identity, request, reply, SIGN_IN, request.body)
      return signedIn === undefined ? reply : reply.redirect('/sign-in', 303)
    },
  })

  declareRoute(server, {
    ...page,
    method: 'GET',
    url: SIGN_OUT,
    summary: 'The sign-out page',
    schema: { response: {} },
    async handler(request, reply) {
      const current = await currentSession(identity, request)
      return current ? askToSignOut(request, reply, current, 200) : sendFormPage(reply, 200, signedOutPage())
    },
  })

  declareRoute(server, {
    ...page,
    method: 'POST',
    url: SIGN_OUT,
    summary: 'Sign out',
    form: true,
    bodyLimit: FORM_BYTES,
    schema: { body: TokenForm, response: {} },
    async handler(request, reply) {
      const { cookies, forms } = identity
      const current = await currentSession(identity, request)
      const token = request.body?.form_token ?? ''
      const refusal = forms.refusal(request.headers, token, SIGN_OUT, current?.session.id)
      if (refusal === 'other_origin') return refuseOtherOrigin(request, reply)
      // A form from another site comes without the session's cookie (SameSite), and must not be able to delete it.
      if (!current) return sendFormPage(reply, 200, signedOutPage())
      if (refusal !== undefined) return askToSignOut(request, reply, current, 403)
      await signOut(identity, request)
      reply.header('set-cookie', cookieText(cookies, cookies.session, '', 0))
      return sendFormPage(reply, 200, signedOutPage())
    },
  })

  function askToSignOut(
    request: FastifyRequest,
    reply: FastifyReply,
    { session, user }: SignedIn,
    status: 200 | 403,
  ): FastifyReply {
    const browser = identity.forms.browserOf(request.headers)
    if (browser.setCookie !== undefined) reply.header('set-cookie', browser.setCookie)
    return sendFormPage(
      reply,
      status,
      signOutPage({
        action: SIGN_OUT,
        formToken: identity.forms.token(browser, SIGN_OUT, session.id),
        person: displayName(user),
        problem: status === 403 ? 'form' : undefined,
      }),
    )
  }
}
