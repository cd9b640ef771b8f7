/** outbox: in development, the e-mails that nobody sends. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { call } from '../transport/api-client.ts'
import type { WireMail } from '../wire.ts'

export function define(command: Command, cli: Cli): void {
  command.action(
    cli.action(async () => {
      const answer = await call<{ data: WireMail[] }>(await cli.client(), 'GET', '/v1/outbox')
      if (cli.out.isJson) return cli.out.json(answer)
      if (answer.data.length === 0) return cli.out.note('Nothing there.')
      for (const { to, subject, text, created_at: created } of answer.data)
        await cli.out.write(`To: ${to}\nSubject: ${subject}\nWritten: ${created}\n\n${text}\n`)
    }),
  )
}
