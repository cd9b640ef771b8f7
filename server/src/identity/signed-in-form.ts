/**
 * Pages for whoever is signed in: the account's. Without a session, or where the page changes how one signs in without
 * one of the last ten minutes, the page is the sign-in form itself, posted to the same path.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { declareRoute, type RenderedPage, sendFormPage } from '../http/index.ts'
import { type ChangeMaker, coarseNetwork, PosternError } from '../kernel/index.ts'
import { currentSession, type SignedIn } from './current-session.ts'
import type { IdentityContext } from './identity-context.ts'
import { wayBackOf, type WayBack } from './stronger/way-back.ts'
import { accountName } from './user.ts'
import {
  formSchema,
  refuseOtherOrigin,
  showSignIn,
  SIGN_IN_FORM_BYTES,
  SIGN_IN_MEMBERS,
  type SignInPlace,
  takeSignIn,
} from './sign-in-form.ts'

/** One request of somebody who is signed in. */
export interface OwnVisit extends SignedIn {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** For the page's forms. */
  readonly action: string
  readonly formToken: string
  /** What binds the browser. */
  readonly binding: string
  /** The application that waits for this person meanwhile. */
  readonly back: WayBack | undefined
  /** For the audit. */
  readonly by: ChangeMaker
}

/** Where the browser goes on, or the page again with what is wrong, or with what is shown once. */
export type OwnAnswer =
  | { readonly goTo: string }
  | { readonly page: RenderedPage; readonly status?: number | undefined }

export interface OwnPage<Fields> {
  readonly url: string
  readonly summary: string
  /** It changes how one signs in. */
  readonly recent: boolean
  /** Members of its forms beside those of the sign-in form. */
  readonly members: Parameters<typeof formSchema>[0]
  /** `problem`: a sentence about what was posted. */
  show(visit: OwnVisit, problem?: string): Promise<RenderedPage> | RenderedPage
  take?(visit: OwnVisit, fields: Fields): Promise<OwnAnswer>
}

const RECENT_MS = 10 * 60_000
const access = { kind: 'public', why: 'whoever is not signed in is asked to, on the page itself' } as const
const page = { access, page: true, documented: false, tags: ['pages'] } as const

export function declareOwnPage<Fields>(
  server: FastifyInstance,
  identity: IdentityContext,
  own: OwnPage<Fields>,
): void {
  const { url, summary, members, take } = own
  declareRoute(server, {
    ...page,
    method: 'GET',
    url,
    summary,
    schema: { response: {} },
    async handler(request, reply) {
      const current = await currentSession(identity, request)
      if (!current || isTooOld(current)) return showSignIn(identity, request, reply, placeOf(current))
      return sendFormPage(reply, 200, await own.show(await visitOf(request, reply, current)))
    },
  })
  if (!take) return

  declareRoute(server, {
    ...page,
    method: 'POST',
    url,
    summary: `${summary}: its forms`,
    form: true,
    bodyLimit: SIGN_IN_FORM_BYTES,
    schema: { body: formSchema({ ...SIGN_IN_MEMBERS, ...members }), response: {} },
    async handler(request, reply) {
      const fields = (request.body ?? {}) as Fields & { form_token?: string }
      const current = await currentSession(identity, request)
      if (!current || isTooOld(current)) {
        const signedIn = await takeSignIn(identity, request, reply, placeOf(current), fields)
        return signedIn ? reply.redirect(url, 303) : reply
      }
      const token = fields.form_token ?? ''
      const refusal = identity.forms.refusal(request.headers, token, url, current.session.id)
      if (refusal === 'other_origin') return refuseOtherOrigin(request, reply)
      const visit = await visitOf(request, reply, current)
      if (refusal !== undefined)
        return sendFormPage(reply, 403, await own.show(visit, 'This page was too old. Please try again.'))
      try {
        const answer = await take(visit, fields)
        if ('goTo' in answer) return reply.redirect(answer.goTo, 303)
        return sendFormPage(reply, answer.status ?? 200, answer.page)
      } catch (error) {
        if (!(error instanceof PosternError) || error.status >= 500) throw error
        return sendFormPage(reply, error.status, await own.show(visit, error.message))
      }
    },
  })

  function isTooOld({ session }: SignedIn): boolean {
    return own.recent && session.authTimeMs + RECENT_MS < identity.changes.clock.nowMs()
  }

  function placeOf(current: SignedIn | undefined): SignInPlace {
    return { action: url, again: current !== undefined, hint: current && accountName(current.user) }
  }

  async function visitOf(
    request: FastifyRequest,
    reply: FastifyReply,
    { session, user }: SignedIn,
  ): Promise<OwnVisit> {
    const browser = identity.forms.browserOf(request.headers)
    if (browser.setCookie !== undefined) reply.header('set-cookie', browser.setCookie)
    return {
      request,
      reply,
      session,
      user,
      action: url,
      formToken: identity.forms.token(browser, url, session.id),
      binding: browser.binding,
      back: await wayBackOf(identity, request, user.id),
      by: { type: 'user', id: user.id, network: coarseNetwork(request.ip) },
    }
  }
}
