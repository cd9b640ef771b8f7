/** /v1/outbox: for development alone. Whoever reads it could sign in as anybody, which `users:write` can as well. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { declareRoute, Rfc3339 } from '../http/index.ts'
import { PosternError, requireDeployment, rfc3339 } from '../kernel/index.ts'
import type { Mailer } from './mailer.ts'

export function outboxRoutes(server: FastifyInstance, mailer: Mailer): void {
  declareRoute(server, {
    method: 'GET',
    url: '/v1/outbox',
    access: { kind: 'management', scope: 'users:write' },
    summary: 'Read the e-mails that nobody sends',
    description:
      'In development, where no SMTP server is configured: the newest fifty of the last day, with the links that they hold. Refused where e-mails are sent.',
    tags: ['Users'],
    schema: {
      response: {
        200: Type.Object({
          data: Type.Array(
            Type.Object({
              to: Type.String(),
              subject: Type.String(),
              text: Type.String(),
              created_at: Rfc3339,
            }),
          ),
        }),
      },
    },
    async handler({ caller }) {
      requireDeployment(caller, 'Reading the outbox')
      if (mailer.sends)
        throw new PosternError('conflict', 'E-mails are sent through SMTP here; nobody else reads them.')
      const messages = await mailer.read()
      return {
        data: messages.map(({ createdAtMs, ...message }) => ({
          ...message,
          created_at: rfc3339(createdAtMs),
        })),
      }
    },
  })
}
