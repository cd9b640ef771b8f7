/** /sign-in/link, /reset-password and /sign-up ask for a link; /link/… is where it leads. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { declareRoute, errorPage, sendFormPage } from '../../http/index.ts'
import { coarseNetwork, PosternError } from '../../kernel/index.ts'
import type { IdentityContext } from '../identity-context.ts'
import { selectSecondFactor } from '../one-time-codes/code-store.ts'
import {
  type AskedLink,
  askForLinkPage,
  followLinkPage,
  type FollowedLink,
  linkDonePage,
  linkSentPage,
} from '../pages/links-page.ts'
import { pageScript } from '../passkeys/page-script.ts'
import { noteSignIn, throttled } from '../sign-in-outcome.ts'
import { askSecondFactor, formSchema, refuseOtherOrigin, startSession, visitOf } from '../sign-in-form.ts'
import { findTicket, type Presented, type Ticket } from '../tickets/tickets.ts'
import { emailKey } from '../user-names.ts'
import { followReset, followSignInLink, followSignUp, followVerification } from './follow-link.ts'
import { sendLink } from './send-link.ts'

const access = { kind: 'public', why: 'whoever cannot sign in asks for it' } as const
const page = { access, page: true, documented: false, tags: ['pages'] } as const
const Field = (maxLength: number) => Type.Optional(Type.String({ maxLength }))
const FORM_BYTES = 32_768
const Place = { place: Field(500), place_mark: Field(100) }
const AskForm = formSchema({ ...Place, email: Field(1_000) })
const FollowForm = formSchema({
  username: Field(254),
  name: Field(1_000),
  new_password: Field(8_000),
  with: Field(20),
})
const LinkParams = Type.Object({
  kind: Type.String({ maxLength: 20 }),
  secret: Type.String({ maxLength: 100 }),
})

const ASKED: readonly (readonly [string, AskedLink])[] = [
  ['/sign-in/link', 'sign_in_link'],
  ['/reset-password', 'reset'],
  ['/sign-up', 'sign_up'],
]
const FOLLOWED: readonly FollowedLink[] = ['sign_in_link', 'reset', 'sign_up', 'verify_email']

export function linkRoutes(server: FastifyInstance, identity: IdentityContext): void {
  const { storage, changes, forms, signUp } = identity
  if (!identity.post) return
  for (const [url, kind] of ASKED) if (kind !== 'sign_up' || signUp.open) ask(url, kind)
  follow()

  function ask(url: string, kind: AskedLink): void {
    const show = (
      request: FastifyRequest,
      reply: FastifyReply,
      place: string,
      { status = 200, email, problem }: { status?: number; email?: string; problem?: string } = {},
    ): FastifyReply => {
      const browser = forms.browserOf(request.headers)
      if (browser.setCookie !== undefined) reply.header('set-cookie', browser.setCookie)
      return sendFormPage(
        reply,
        status,
        askForLinkPage({
          action: url,
          formToken: forms.token(browser, url),
          kind,
          place,
          placeMark: forms.placeMark(browser, place),
          email,
          problem,
        }),
      )
    }

    declareRoute(server, {
      ...page,
      method: 'GET',
      url,
      summary: 'Ask for a link by e-mail',
      schema: { querystring: Type.Object(Place), response: {} },
      handler: (request, reply) => show(request, reply, forms.placeOf(request.headers, request.query)),
    })

    declareRoute(server, {
      ...page,
      method: 'POST',
      url,
      summary: 'Send a link by e-mail',
      form: true,
      bodyLimit: FORM_BYTES,
      schema: { body: AskForm, response: {} },
      handler(request, reply) {
        const { form_token: token = '', email = '', ...marked } = request.body ?? {}
        const refusal = forms.refusal(request.headers, token, url)
        if (refusal === 'other_origin') return refuseOtherOrigin(request, reply)
        const place = forms.placeOf(request.headers, marked)
        const binding = forms.bindingOf(request.headers)
        if (refusal !== undefined || binding === undefined)
          return show(request, reply, place, {
            status: 403,
            email,
            problem: 'This page was too old. Try again.',
          })
        const key = emailKey(email.trim())
        if (key === undefined)
          return show(request, reply, place, { status: 400, email, problem: 'Type an e-mail address.' })
        const wait = throttled(identity, request.ip, `mail ${key}`)
        if (wait > 0) {
          noteSignIn(identity, request.ip, 'throttled')
          reply.header('retry-after', String(wait))
          return show(request, reply, place, {
            status: 429,
            email,
            problem: 'Too many tries. Wait a little.',
          })
        }
        const { ip } = request
        reply.raw.once('finish', () =>
          identity.afterwards.run(() =>
            sendLink(identity, { kind, email: email.trim(), binding, ip, place }),
          ),
        )
        return sendFormPage(reply, 200, linkSentPage(kind, place))
      },
    })
  }

  function follow(): void {
    const url = '/link/:kind/:secret'
    declareRoute(server, {
      ...page,
      method: 'GET',
      url,
      summary: 'The page of a link',
      schema: { params: LinkParams, response: {} },
      async handler(request, reply) {
        const found = await ticketOf(request, request.params)
        return found ? show(request, reply, found) : sayOver(request, reply)
      },
    })

    declareRoute(server, {
      ...page,
      method: 'POST',
      url,
      summary: 'Follow a link',
      form: true,
      bodyLimit: FORM_BYTES,
      schema: { params: LinkParams, body: FollowForm, response: {} },
      async handler(request, reply) {
        const found = await ticketOf(request, request.params)
        const token = request.body?.form_token ?? ''
        const refusal = forms.refusal(request.headers, token, found?.action ?? '')
        if (refusal === 'other_origin') return refuseOtherOrigin(request, reply)
        if (!found) return sayOver(request, reply)
        if (refusal !== undefined) return show(request, reply, found, 'This page was too old. Try again.')
        try {
          return await taken(request, reply, found, request.body ?? {})
        } catch (error) {
          if (!(error instanceof PosternError) || error.status >= 500) throw error
          return show(request, reply, found, error.message, error.status)
        }
      },
    })
  }

  interface Found {
    readonly kind: FollowedLink
    readonly action: string
    readonly presented: Presented
    readonly ticket: Ticket
  }

  async function ticketOf(
    request: FastifyRequest,
    { kind, secret }: { kind: string; secret: string },
  ): Promise<Found | undefined> {
    const known = FOLLOWED.find((one) => one === kind)
    const binding = forms.bindingOf(request.headers)
    if (known === undefined || binding === undefined) return undefined
    const presented = { secret, binding }
    const ticket = await findTicket(storage, changes.clock, known, presented)
    return ticket && { kind: known, presented, ticket, action: `/link/${known}/${secret}` }
  }

  async function show(
    request: FastifyRequest,
    reply: FastifyReply,
    { kind, action, ticket }: Found,
    problem?: string,
    status = problem === undefined ? 200 : 403,
  ): Promise<FastifyReply> {
    const { userId } = ticket
    const view = followLinkPage({
      action,
      formToken: forms.token(forms.browserOf(request.headers), action),
      kind,
      email: String(ticket.data['email']),
      hasSecondFactor: userId !== null && (await selectSecondFactor(storage, userId)) !== undefined,
      script: identity.relyingParty && pageScript().url,
      problem,
    })
    return sendFormPage(reply, status, view)
  }

  async function taken(
    request: FastifyRequest,
    reply: FastifyReply,
    { kind, presented, ticket }: Found,
    fields: { name?: string; new_password?: string; with?: string },
  ): Promise<FastifyReply> {
    const visit = visitOf(identity, request)
    const place = String(ticket.data['place'])
    switch (kind) {
      case 'sign_in_link': {
        const outcome = await followSignInLink(identity, presented, visit)
        if (outcome.signedIn) {
          startSession(identity, reply, outcome)
          return reply.redirect(place, 303)
        }
        if (outcome.refusal === 'second_factor')
          return askSecondFactor(identity, request, reply, { action: place }, outcome.ticket)
        return sayOver(request, reply)
      }
      case 'reset': {
        const network = coarseNetwork(request.ip)
        if (!(await followReset(identity, presented, fields.new_password ?? '', network)))
          return sayOver(request, reply)
        return sendFormPage(
          reply,
          200,
          linkDonePage({
            title: 'The password is set',
            text: 'You are signed out everywhere. Sign in with the new password.',
            href: place,
            go: 'Sign in',
          }),
        )
      }
      case 'verify_email':
        return (await followVerification(identity, presented))
          ? reply.redirect('/account', 303)
          : sayOver(request, reply)
      case 'sign_up': {
        const withPasskey = fields.with === 'passkey'
        const name = (fields.name ?? '')
          .replace(/\p{Cc}/gu, ' ')
          .trim()
          .slice(0, 200)
        const password = withPasskey ? undefined : (fields.new_password ?? '')
        const outcome = await followSignUp(identity, presented, { name, password }, visit)
        if (!outcome.signedIn) return sayOver(request, reply)
        startSession(identity, reply, outcome)
        return reply.redirect(withPasskey ? '/account/passkeys' : place, 303)
      }
    }
  }
}

/** One answer to whatever is wrong with a link. */
function sayOver(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const view = errorPage({
    title: 'This link is no longer good',
    detail:
      'It was used, it is older than fifteen minutes, or this is not the browser in which it was asked for.',
    remedy: 'Open it in the browser in which you asked for it, or ask for a new one.',
    code: 'not_found',
    requestId: request.id,
  })
  return sendFormPage(reply, 404, view)
}
