/** keys create: issues a key and shows it, once. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { expiryOption, listOption, metadataOption, timeOption } from '../input/options.ts'
import type { Expiry } from '../input/time.ts'
import { printIssued } from '../output/credential.ts'
import { call } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { Issued, Page, WireKey, WireResource } from '../wire.ts'

interface CreateOptions {
  readonly owner: string
  readonly name?: string
  readonly resource?: string
  readonly scope?: string[]
  readonly tenant?: string
  readonly environment?: string
  readonly expires?: Expiry
  readonly notBefore?: string
  readonly ip?: string[]
  readonly metadata?: Record<string, unknown>
  readonly quiet?: boolean
}

export function defineCreate(command: Command, cli: Cli): void {
  command
    .command('create')
    .description('Issue a key. It is shown once.')
    .requiredOption('--owner <owner>', 'your own id for whoever gets it')
    .option('--name <name>', 'what it is for (the owner)')
    .option('--resource <uri>', 'the API it opens, by URI or id; needed when there are several')
    .addOption(listOption('--scope <scope>', 'what it may do; again for more'))
    .option('--tenant <id>', 'whose it is (default)')
    .addOption(new Option('--environment <name>', 'live or test').choices(['live', 'test']))
    .addOption(expiryOption(cli.io))
    .addOption(timeOption('--not-before <time>', 'when it begins to work', cli.io))
    .addOption(listOption('--ip <network>', 'an address or CIDR block it may be used from; again for more'))
    .addOption(metadataOption())
    .option('--quiet', 'print the key alone, for a pipe')
    .action(
      cli.action(async (options: CreateOptions) => {
        const body = {
          name: options.name ?? options.owner,
          owner: options.owner,
          resource: options.resource ?? (await onlyResource(cli)),
          scopes: options.scope ?? [],
          tenant: options.tenant,
          environment: options.environment,
          not_before: options.notBefore,
          ip_allow: options.ip,
          metadata: options.metadata,
          ...options.expires,
        }
        const issued = await createOnce<Issued<WireKey>>(await cli.client(), '/v1/keys', body)
        await printIssued(cli, issued, { purpose: 'API key', ...options })
      }),
    )
}

/** With one API there is nothing to choose; a second one makes scripts that chose nothing stop, not guess. */
async function onlyResource(cli: Cli): Promise<string> {
  const resources = await listResources(cli)
  const [only] = resources
  if (only && resources.length === 1) return only.uri
  if (!only) throw usageError('There is no API yet.', 'Make one: postern resources create --uri … --name …')
  throw usageError(
    'Which API is the key for?',
    `Give --resource: ${resources
      .slice(0, 10)
      .map(({ uri }) => uri)
      .join(', ')}`,
  )
}

/** One page of resources, to choose from. */
async function listResources(cli: Cli): Promise<readonly WireResource[]> {
  return (
    await call<Page<WireResource>>(await cli.client(), 'GET', '/v1/resources', { query: { limit: 100 } })
  ).data
}
