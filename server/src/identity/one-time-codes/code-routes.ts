/** /account/second-factor, and /v1/users/:id/second-factor for operators. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { declareRoute, IdParams, Nullable, type RenderedPage, Rfc3339 } from '../../http/index.ts'
import { rfc3339 } from '../../kernel/index.ts'
import type { IdentityContext } from '../identity-context.ts'
import { oneTimeCodesPage, recoveryCodesPage } from '../pages/one-time-codes-page.ts'
import { declareOwnPage, type OwnVisit } from '../signed-in-form.ts'
import { accountName } from '../user.ts'
import { selectSecondFactor } from './code-store.ts'

const PATH = '/account/second-factor'
const Field = (maxLength: number) => Type.Optional(Type.String({ maxLength }))

interface Fields {
  readonly do?: string
  readonly secret?: string
  readonly code?: string
}

export function codeRoutes(server: FastifyInstance, identity: IdentityContext): void {
  const { storage, changes } = identity

  declareOwnPage<Fields>(server, identity, {
    url: PATH,
    summary: 'The second factor of an account',
    recent: true,
    members: { do: Field(20), secret: Field(200) },
    show,
    async take(visit, fields) {
      const { disableOneTimeCodes, enableOneTimeCodes, renewRecoveryCodes } =
        await import('./change-codes.ts')
      const { user, session, by } = visit
      const owner = { userId: user.id, keep: session.id }
      if (fields.do === 'disable') {
        await storage.write((tx) => disableOneTimeCodes(tx, changes, by, owner))
        return { goTo: PATH }
      }
      if (fields.do === 'renew') {
        const codes = await storage.write((tx) => renewRecoveryCodes(tx, changes, by, user.id))
        return { page: recoveryCodesPage(visit, codes) }
      }
      if (fields.do !== 'enable') return { goTo: PATH }
      const secret = identity.offeredSecrets.open(session.id, fields.secret ?? '')
      if (!secret) return { page: await show(visit, 'The key was too old: scan this new one.'), status: 403 }
      const code = fields.code ?? ''
      const codes = await storage.write((tx) => enableOneTimeCodes(tx, identity, by, owner, { secret, code }))
      return codes
        ? { page: recoveryCodesPage(visit, codes) }
        : { page: await show(visit, 'That code is not of this key. Try the next one.', secret), status: 403 }
    },
  })

  async function show(visit: OwnVisit, problem?: string, shown?: Uint8Array): Promise<RenderedPage> {
    const { user, session } = visit
    const state = await selectSecondFactor(storage, user.id)
    if (state) return oneTimeCodesPage({ ...visit, state, offer: undefined, problem })
    const [{ newCodeSecret, secretInWords, secretUri }, { renderSVG }] = await Promise.all([
      import('./totp.ts'),
      import('uqr'),
    ])
    const secret = shown ?? newCodeSecret()
    const uri = secretUri(secret, new URL(identity.issuer).hostname, accountName(user))
    return oneTimeCodesPage({
      ...visit,
      state,
      offer: {
        sealedSecret: identity.offeredSecrets.seal(session.id, secret),
        secretInWords: secretInWords(secret),
        qrSvg: renderSVG(uri, { border: 1 }),
      },
      problem,
    })
  }

  declareRoute(server, {
    method: 'GET',
    url: '/v1/users/:id/second-factor',
    access: { kind: 'management', scope: 'users:read' },
    summary: 'Read a user’s second factor',
    tags: ['Users'],
    schema: {
      params: IdParams,
      response: {
        200: Type.Object({
          type: Type.Literal('one_time_codes'),
          recovery_codes_left: Type.Integer(),
          wrong_codes: Type.Integer({ description: 'In a row; at 100 no code is taken.' }),
          created_at: Rfc3339,
          last_used_at: Nullable(Rfc3339),
        }),
      },
    },
    async handler({ caller, params }) {
      const { readSecondFactor } = await import('./change-codes.ts')
      const state = await readSecondFactor(storage, caller, params.id)
      return {
        type: 'one_time_codes',
        recovery_codes_left: state.recoveryCodesLeft,
        wrong_codes: state.failures,
        created_at: rfc3339(state.createdAtMs),
        last_used_at: rfc3339(state.lastUsedAtMs),
      }
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/users/:id/second-factor',
    access: { kind: 'management', scope: 'users:write' },
    summary: 'Take a user’s second factor away',
    description:
      'Where the device and the recovery codes are lost. All sessions of the user end. Refused while the password has fewer than 15 characters: set another one first.',
    tags: ['Users'],
    schema: { params: IdParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      const { resetSecondFactor } = await import('./change-codes.ts')
      await storage.write((tx) => resetSecondFactor(tx, changes, caller, params.id))
      return reply.status(204).send()
    },
  })
}
