/** The handlers for Fastify 5: `await app.register(fastifyWeb(web))`. */
import type { FastifyInstance } from 'fastify'
import { headerOf } from '../presented.ts'
import { parsedForm } from './form.ts'
import type { Web } from './web.ts'

const LARGEST_BYTES = 65_536

/** A plugin, with a scope of its own: the parser for forms that logout needs is the rest of the application's no business. */
export function fastifyWeb(web: Web): (app: FastifyInstance, options: object, done: () => void) => void {
  return (app, _options, done) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: LARGEST_BYTES }, (_request, body, parsed) =>
      parsed(null, body),
    )
    app.route({
      method: ['GET', 'POST'],
      url: `${web.path}/:action`,
      handler: async (request, reply) => {
        const { method, headers, rawHeaders } = request.raw
        const presented = { method, headers, rawHeaders, url: request.originalUrl }
        const answer = await web.handle({
          method: request.method,
          url: request.originalUrl,
          header: (name) => headerOf(presented, name),
          form: async () => {
            const isForm = /^application\/x-www-form-urlencoded\s*(;|$)/i.test(headers['content-type'] ?? '')
            return isForm ? parsedForm(request.body) : undefined
          },
        })
        if (!answer) return reply.callNotFound()
        void reply.code(answer.status)
        for (const [name, value] of answer.headers) void reply.header(name, value)
        return reply.send(answer.body)
      },
    })
    done()
  }
}
