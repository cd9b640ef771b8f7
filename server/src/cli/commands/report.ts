/** report: what somebody who has to answer for the deployment asks. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { statusCell } from '../output/credential.ts'
import { plural } from '../output/text.ts'
import { call } from '../transport/api-client.ts'
import type { Page, WireComplianceReport, WireOperator } from '../wire.ts'
import { agingColumns } from './rotation.ts'

const KIND_NAMES: Readonly<Record<string, string>> = {
  api_key: 'API keys',
  operator_key: 'operator keys',
  client_secret: 'client secrets',
  webhook_secret: 'webhook secrets',
  signing_key: 'signing keys',
}

export function define(command: Command, cli: Cli): void {
  command
    .command('compliance')
    .description('Report what ends, what is overdue, grants, operators and the head of the audit chain.')
    .action(cli.action(() => compliance(cli)))
}

async function compliance(cli: Cli): Promise<void> {
  const { out } = cli
  const client = await cli.client()
  const report = await call<WireComplianceReport>(client, 'GET', '/v1/reports/compliance')
  const operators: WireOperator[] = []
  let cursor: string | undefined
  do {
    const query = { limit: 100, cursor }
    const page: Page<WireOperator> = await call(client, 'GET', '/v1/operators', { query })
    operators.push(...page.data.filter(({ status }) => status === 'active' || status === 'disabled'))
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  if (out.isJson) return out.json({ ...report, operators })

  const { keys, grants, clients, users, audit } = report
  const rotation = Object.entries(report.rotation).map(([kind, { due, overdue }]) => {
    const text = overdue > 0 ? `${overdue} overdue, ${due} due` : due > 0 ? `${due} due` : 'in order'
    const style = overdue > 0 ? 'bad' : due > 0 ? 'warn' : 'good'
    return [KIND_NAMES[kind] ?? kind, { text, style }] as const
  })
  await out.card([
    ['at', out.time(report.at)],
    ['keys in force', plural(keys.active, 'key')],
    ['  never end', plural(keys.never_expire, 'key')],
    ['  unused for 90d', plural(keys.unused_90_days, 'key')],
    ['grants', plural(grants, 'grant')],
    ['clients', plural(clients, 'client')],
    ['users', plural(users, 'user')],
    ...rotation,
    ['audit head', `${audit.seq}:${audit.hash}`],
  ])
  await out.line('')
  const columns = [
    { title: 'OPERATOR', cell: ({ id }: WireOperator) => id },
    { title: 'NAME', cell: ({ name }: WireOperator) => name, cuttable: true as const },
    { title: 'REACHES', cell: ({ tenant }: WireOperator) => tenant ?? 'the deployment' },
    { title: 'STATUS', cell: ({ status }: WireOperator) => statusCell(status) },
    { title: 'EXPIRES', cell: (operator: WireOperator) => out.time(operator.expires_at, 'never') },
    { title: 'LAST USED', cell: (operator: WireOperator) => out.time(operator.last_used_at, 'never') },
    { title: 'MAY', cell: ({ scopes }: WireOperator) => scopes.join(' '), cuttable: true as const },
  ]
  await out.write(out.table(columns).lines(operators))
  if (report.listed.length === 0) return
  await out.line('')
  await out.write(out.table(agingColumns(cli)).lines(report.listed))
}
