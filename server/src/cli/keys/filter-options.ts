/** Which keys: the same filter for lists, exports and bulk work. */
import { type Command, Option } from 'commander'
import { listOption, timeOption } from '../input/options.ts'
import type { CliIo } from '../io.ts'

export interface FilterOptions {
  readonly tenant?: string
  readonly owner?: string
  readonly resource?: string
  readonly scope?: string
  readonly environment?: string
  readonly name?: string
  readonly status?: string
  readonly lastUsedBefore?: string
  readonly expiringBefore?: string
  readonly createdBefore?: string
  readonly dueBefore?: string
  /** In bulk only. */
  readonly id?: string[]
}

export function addFilterOptions(command: Command, io: CliIo): Command {
  return command
    .option('--tenant <id>', 'of this tenant')
    .option('--owner <owner>', 'of this owner')
    .option('--resource <uri>', 'for this API, by URI or id')
    .option('--scope <scope>', 'with this scope')
    .addOption(new Option('--environment <name>', 'live or test').choices(['live', 'test']))
    .option('--name <name>', 'with exactly this name')
    .addOption(
      new Option('--status <status>', 'in this state').choices(['active', 'disabled', 'expired', 'revoked']),
    )
    .addOption(
      timeOption('--last-used-before <time>', 'unused since, such as "90d ago"; never used counts', io),
    )
    .addOption(timeOption('--expiring-before <time>', 'ending before, such as "in 14d"', io))
    .addOption(timeOption('--created-before <time>', 'made before', io))
    .addOption(timeOption('--due-before <time>', 'older than their API allows by then, such as "in 14d"', io))
}

export function addBulkFilterOptions(command: Command, io: CliIo): Command {
  return addFilterOptions(command, io).addOption(listOption('--id <id>', 'this key; again for more'))
}

/** On the wire; members that were not given are left away. */
export function filterOf(options: FilterOptions): Record<string, string> {
  const filter = {
    tenant: options.tenant,
    owner: options.owner,
    resource: options.resource,
    scope: options.scope,
    environment: options.environment,
    name: options.name,
    status: options.status,
    last_used_before: options.lastUsedBefore,
    expiring_before: options.expiringBefore,
    created_before: options.createdBefore,
    due_before: options.dueBefore,
  }
  return Object.fromEntries(
    Object.entries(filter).filter((member): member is [string, string] => member[1] !== undefined),
  )
}
