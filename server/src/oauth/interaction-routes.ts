/** The page where an authorization waits for its user. What it shows is in interaction-pages.ts, loaded with the engine. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { declareRoute } from '../http/index.ts'
import { formSchema, type IdentityContext, SIGN_IN_FORM_BYTES, SIGN_IN_MEMBERS } from '../identity/index.ts'
import { basePath } from './endpoints.ts'
import type { Fields, Visitor } from './interaction-pages.ts'
import type { LazyEngine } from './lazy-engine.ts'
import type { OAuthPorts } from './ports.ts'

const access = { kind: 'public', why: 'users come here to sign in' } as const
const Params = Type.Object({ uid: Type.String({ maxLength: 100 }) })
const Field = (maxLength: number) => Type.Optional(Type.String({ maxLength }))
const Form = formSchema({
  ...SIGN_IN_MEMBERS,
  decision: Field(20),
  add: Field(20),
  tenant: Field(100),
})

export function interactionRoutes(
  server: FastifyInstance,
  lazy: LazyEngine,
  ports: OAuthPorts & { readonly identity: IdentityContext },
): void {
  const url = `${basePath(ports.issuer)}/interaction/:uid`
  const page = { access, page: true, documented: false, tags: ['pages'], url } as const
  let loading: Promise<Visitor> | undefined
  const visitor = (): Promise<Visitor> =>
    (loading ??= Promise.all([import('./interaction-pages.ts'), lazy.load()]).then(
      ([{ interactionPages }, engine]) => interactionPages(engine, ports),
    ))

  declareRoute(server, {
    ...page,
    method: 'GET',
    summary: 'Sign-in or consent for an application',
    schema: { params: Params, response: {} },
    handler: async (request, reply) => (await visitor())(request, reply, request.params.uid, undefined),
  })

  declareRoute(server, {
    ...page,
    method: 'POST',
    summary: 'The form of that page',
    form: true,
    bodyLimit: SIGN_IN_FORM_BYTES,
    schema: { params: Params, body: Form, response: {} },
    handler: async (request, reply) =>
      (await visitor())(request, reply, request.params.uid, (request.body ?? {}) as Fields),
  })
}
