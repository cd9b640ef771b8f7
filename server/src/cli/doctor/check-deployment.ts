/** What is in the deployment: operators, resources, keys. The table is in the order in which it is asked. */
import type { Cli } from '../cli.ts'
import { plural } from '../output/text.ts'
import { type ApiClient, ApiRefusal, call } from '../transport/api-client.ts'
import type { Page, WireActivity, WireOperator, WireResource } from '../wire.ts'
import { checkKeys } from './check-keys.ts'
import { type Finding, ok, warn } from './finding.ts'

type Check = (client: ApiClient, cli: Cli) => AsyncGenerator<Finding>

const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ['operators', checkOperators],
  ['resources', checkResources],
  ['refusals', checkRefusals],
  ['keys', checkKeys],
]

export async function* checkDeployment(cli: Cli): AsyncGenerator<Finding> {
  const client = await cli.client()
  for (const [name, check] of CHECKS) {
    try {
      yield* check(client, cli)
    } catch (error) {
      if (!(error instanceof ApiRefusal) || error.status !== 403) throw error
      yield warn(
        name,
        `The operator may not look at the ${name}.`,
        'Run doctor with an operator who may, or on the data folder.',
      )
    }
  }
}

async function* checkOperators(client: ApiClient, cli: Cli): AsyncGenerator<Finding> {
  const operators: WireOperator[] = []
  let cursor: string | undefined
  do {
    const page: Page<WireOperator> = await call(client, 'GET', '/v1/operators', {
      query: { limit: 100, cursor },
    })
    operators.push(...page.data)
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined && operators.length < 10_000)
  const active = operators.filter(({ status }) => status === 'active')
  const chiefs = active.filter(
    ({ tenant, resources, scopes }) =>
      tenant === null && resources === null && scopes.includes('operators:write'),
  )
  if (chiefs.length < 2)
    yield warn(
      'operators',
      chiefs.length === 0
        ? 'There is no deployment operator.'
        : 'There is one deployment operator: lose that key, and nobody manages this.',
      chiefs.length === 0
        ? 'On the data folder: postern operators recover'
        : 'Make a second one: postern operators create --name … --all-scopes',
    )
  else yield ok('operators', `There are ${chiefs.length} deployment operators.`)
  const soon = active.filter(
    ({ expires_at: end }) => end !== null && Date.parse(end) < cli.io.nowMs() + 30 * 86_400_000,
  )
  if (soon.length > 0)
    yield warn(
      'operators_ending',
      `${plural(soon.length, 'operator key')} will end within 30 days: ${some(soon.map(({ name }) => name))}.`,
      'Rotate them: postern operators rotate <id>',
    )
  const endless = active.filter(({ expires_at: end }) => end === null)
  if (endless.length > 0)
    yield warn(
      'operators_without_expiry',
      `${plural(endless.length, 'operator key')} will never end: ${some(endless.map(({ name }) => name))}.`,
      'Replace them by ones with --expires.',
    )
}

async function* checkResources(client: ApiClient): AsyncGenerator<Finding> {
  const { data } = await call<Page<WireResource>>(client, 'GET', '/v1/resources', { query: { limit: 100 } })
  const endless = data.filter((resource) => resource.key_lifetime_seconds === null)
  if (endless.length > 0)
    yield warn(
      'endless_defaults',
      `New keys never end unless told, for ${some(endless.map(({ uri }) => uri))}.`,
      'Give a default: postern resources update <id> --key-lifetime 365d',
    )
  const browsers = data.filter((resource) => resource.allow_browser_keys)
  if (browsers.length > 0)
    yield warn(
      'browser_keys',
      `Live keys are taken from browsers, for ${some(browsers.map(({ uri }) => uri))}: whoever opens the page has the key.`,
      'Refuse them: postern resources update <id> --no-browser-keys',
    )
  if (endless.length + browsers.length === 0)
    yield ok('resources', `${plural(data.length, 'API')} with safe defaults.`)
}

/** Somebody still calls with what has ended, or keys stand in URLs. */
async function* checkRefusals(client: ApiClient, cli: Cli): AsyncGenerator<Finding> {
  const since = new Date(cli.io.nowMs() - 86_400_000).toISOString()
  const count = async (code: string): Promise<number> => {
    const query = { code, since, limit: 100 }
    const { data } = await call<Page<WireActivity>>(client, 'GET', '/v1/activity', { query })
    return data.reduce((sum, row) => sum + row.count, 0)
  }
  const [expired, exposed] = [await count('expired'), await count('exposed_in_url')]
  if (expired > 0)
    yield warn(
      'expired_in_use',
      `${plural(expired, 'call')} came with an expired credential within a day.`,
      'See whose: postern activity list --code expired --since "1d ago"',
    )
  if (exposed > 0)
    yield warn(
      'keys_in_urls',
      `${plural(exposed, 'call')} had a key in the URL within a day, where logs keep it.`,
      'See whose: postern activity list --code exposed_in_url; then rotate those keys.',
    )
  if (expired + exposed === 0) yield ok('refusals', 'Nobody calls with expired keys or keys in URLs.')
}

function some(names: readonly string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
}
