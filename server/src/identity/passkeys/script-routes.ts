/** /assets/page.js: the script of the pages. */
import type { FastifyInstance } from 'fastify'
import { declareRoute } from '../../http/index.ts'
import { pageScript, SCRIPT_PATH } from './page-script.ts'

export function scriptRoutes(server: FastifyInstance): void {
  declareRoute(server, {
    method: 'GET',
    url: SCRIPT_PATH,
    access: { kind: 'public', why: 'the script of public pages' },
    summary: 'The script of the pages',
    tags: ['pages'],
    documented: false,
    schema: { response: {} },
    handler: (_request, reply) =>
      reply
        .header('content-type', 'text/javascript; charset=utf-8')
        .header('cache-control', 'public, max-age=31536000, immutable')
        .send(pageScript().text),
  })
}
