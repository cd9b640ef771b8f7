/** /v1/peppers */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { declareRoute, Rfc3339 } from '../http/index.ts'
import { requireDeployment, rfc3339 } from '../kernel/index.ts'
import { countKeysByPepper, selectPeppers } from './pepper-store.ts'
import { rotatePepper } from './rotate-pepper.ts'
import type { KeyRoutes } from './routes.ts'

const PepperBody = Type.Object({
  version: Type.Integer(),
  current: Type.Boolean(),
  created_at: Rfc3339,
  keys: Type.Integer({ description: 'Unrevoked keys that still depend on it.' }),
})
const tags = ['Deployment']
const access = { kind: 'management', scope: 'deployment:write' } as const

export function pepperRoutes(server: FastifyInstance, { storage, context }: KeyRoutes): void {
  declareRoute(server, {
    method: 'GET',
    url: '/v1/peppers',
    access,
    summary: 'List the versions of the pepper',
    tags,
    schema: { response: { 200: Type.Object({ data: Type.Array(PepperBody) }) } },
    async handler({ caller }) {
      requireDeployment(caller, 'Reading the peppers')
      const [rows, counts] = await Promise.all([selectPeppers(storage), countKeysByPepper(storage)])
      const newest = rows.at(-1)?.version
      return {
        data: rows.map((row) => ({
          version: row.version,
          current: row.version === newest,
          created_at: rfc3339(row.created_at),
          keys: counts.get(row.version) ?? 0,
        })),
      }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/peppers/rotate',
    access,
    summary: 'Rotate the pepper',
    description:
      'New hashes use the new version; each key moves to it when it is next used. Nothing stops working.',
    tags,
    schema: { body: Type.Object({}), response: { 201: Type.Object({ version: Type.Integer() }) } },
    async handler({ caller }, reply) {
      reply.status(201)
      return { version: await rotatePepper(storage, context, caller) }
    },
  })
}
