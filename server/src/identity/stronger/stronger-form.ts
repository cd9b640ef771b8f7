/**
 * The page for somebody who is signed in, but has nothing as strong as the application asks for: it says what to add, and
 * leads there and back. The user may as well refuse.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sendFormPage } from '../../http/index.ts'
import type { SignedIn } from '../current-session.ts'
import type { IdentityContext } from '../identity-context.ts'
import { strongerPage } from '../pages/stronger-page.ts'
import { refuseOtherOrigin, type SignInPlace } from '../sign-in-form.ts'
import { accountName } from '../user.ts'
import { type Factor, FACTORS } from './factors.ts'
import { keepWayBack } from './way-back.ts'

export interface Stronger {
  readonly place: SignInPlace
  readonly signedIn: SignedIn
  /** What is to be added. */
  readonly factor: Factor
  /** Without `add` the page is only shown. */
  readonly fields: { readonly form_token?: string; readonly add?: string } | undefined
}

export async function takeStronger(
  identity: IdentityContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { place, signedIn, factor, fields }: Stronger,
): Promise<FastifyReply> {
  const { forms } = identity
  const { action, application } = place
  const { session, user } = signedIn
  const browser = forms.browserOf(request.headers)
  const show = (problem?: 'form'): FastifyReply => {
    if (browser.setCookie !== undefined) reply.header('set-cookie', browser.setCookie)
    const view = strongerPage({
      action,
      formToken: forms.token(browser, action, session.id),
      application,
      account: accountName(user),
      factor,
      problem,
    })
    return sendFormPage(reply, problem === undefined ? 200 : 403, view)
  }
  if (fields?.add === undefined) return show()

  const refusal = forms.refusal(request.headers, fields.form_token ?? '', action, session.id)
  if (refusal === 'other_origin') return refuseOtherOrigin(request, reply)
  if (refusal !== undefined) return show('form')
  const { binding } = browser
  const name = application?.name ?? 'the application'
  reply.header('set-cookie', await keepWayBack(identity, { href: action, name, userId: user.id, binding }))
  return reply.redirect(FACTORS[factor].path, 303)
}
