/** resources: the protected APIs, each named by a URI, with its scopes and the rules of its keys. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { confirm } from '../input/confirm.ts'
import { durationSeconds } from '../input/duration.ts'
import { durationOption, parsedOption } from '../input/options.ts'
import { parseScope, type ScopeInput } from '../input/scope-option.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import { duration } from '../output/times.ts'
import { call } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { WireResource } from '../wire.ts'

interface ResourceOptions {
  readonly name?: string
  readonly scope?: ScopeInput[]
  readonly keyPrefix?: string
  /** Seconds; null: for ever. */
  readonly keyLifetime?: { readonly seconds: number | null }
  readonly tokenLifetime?: number
  readonly tokenAlgorithm?: string
  readonly tokenFormat?: string
  readonly cache?: number
  readonly browserKeys?: boolean
  readonly leakPolicy?: string
  readonly leakNotice?: number
  readonly keyMaxAge?: { readonly seconds: number | null }
  readonly rotationNotice?: number
  readonly selfRotation?: string
  readonly scopesByRole?: boolean
}

export function define(command: Command, cli: Cli): void {
  addListOptions(command.command('list').description('List resources.')).action(
    cli.action((options: ListOptions) => printList(cli, '/v1/resources', {}, options, columns())),
  )

  addSettings(
    command
      .command('create')
      .description('Create a resource: an API that Postern protects.')
      .requiredOption('--uri <uri>', 'its name for machines, such as https://api.example.com')
      .requiredOption('--name <name>', 'its name for people'),
  ).action(
    cli.action(async (options: ResourceOptions & { uri: string }) => {
      const body = { uri: options.uri, scopes: [], ...bodyOf(options) }
      return show(cli, await createOnce<WireResource>(await cli.client(), '/v1/resources', body))
    }),
  )

  command
    .command('show <id>')
    .description('Show a resource, by its id or URI.')
    .action(
      cli.action(async (id: string) =>
        show(cli, await call<WireResource>(await cli.client(), 'GET', at(id))),
      ),
    )

  addSettings(
    command
      .command('update <id>')
      .description('Change a resource. A scope that is taken away stops counting for the keys that hold it.')
      .option('--name <name>', 'its name for people'),
  )
    .addOption(parsedOption<ScopeInput[]>('--add-scope <scope=description>', 'one more scope', gatherScopes))
    .addOption(
      parsedOption<string[]>('--remove-scope <scope>', 'one scope less', (text, before = []) => [
        ...before,
        text,
      ]),
    )
    .action(
      cli.action(
        async (
          id: string,
          options: ResourceOptions & { addScope?: ScopeInput[]; removeScope?: string[] },
        ) => {
          const client = await cli.client()
          const { addScope: added = [], removeScope: removed = [] } = options
          if (options.scope && added.length + removed.length > 0)
            throw usageError(
              '--scope gives the whole list; --add-scope and --remove-scope change it.',
              'Use one way.',
            )
          const body = bodyOf(options)
          const before = await call<WireResource>(client, 'GET', at(id))
          if (added.length + removed.length > 0) {
            const unknown = removed.filter((name) => !before.scopes.some((scope) => scope.name === name))
            if (unknown.length > 0) throw usageError(`${before.uri} has no scope ${unknown.join(', ')}.`)
            const kept = before.scopes.filter(
              ({ name }) => !removed.includes(name) && !added.some((scope) => scope.name === name),
            )
            body['scopes'] = [...kept, ...added]
          }
          if (Object.keys(body).length === 0)
            throw usageError('Nothing to change.', 'See: postern resources update --help')
          await show(cli, await call<WireResource>(client, 'PATCH', at(before.id), { body }))
        },
      ),
    )

  command
    .command('delete <id>')
    .description('Delete a resource: all of its keys stop working at once, for ever.')
    .option('--yes', 'do not ask')
    .action(
      cli.action(async (id: string, { yes }: { yes?: boolean }) => {
        const client = await cli.client()
        const resource = await call<WireResource>(client, 'GET', at(id))
        await confirm(cli.io, `All keys of ${resource.uri} stop working at once, for ever.`, resource.id, yes)
        await call(client, 'DELETE', at(resource.id))
        if (cli.out.isJson) await cli.out.json({ deleted: resource.id })
        else await cli.out.note(`Deleted ${resource.id}.`)
      }),
    )
}

function addSettings(command: Command): Command {
  return command
    .addOption(
      parsedOption<ScopeInput[]>(
        '--scope <scope=description>',
        'a scope it knows; again for more',
        gatherScopes,
      ),
    )
    .option('--key-prefix <prefix>', 'what its keys start with (sk)')
    .addOption(
      parsedOption(
        '--key-lifetime <duration>',
        'how long a key lives when nothing else is asked for (365d), or never',
        (text) => {
          const seconds = text === 'never' ? null : durationSeconds(text)
          if (seconds === undefined) throw new Error('Expected a duration such as 365d, or never.')
          return { seconds }
        },
      ),
    )
    .addOption(durationOption('--token-lifetime <duration>', 'how long its access tokens live (15m)'))
    .addOption(
      new Option('--token-algorithm <name>', 'how its access tokens are signed').choices([
        'ES256',
        'RS256',
        'EdDSA',
      ]),
    )
    .addOption(
      new Option(
        '--token-format <format>',
        'jwt: services check its access tokens by themselves; opaque: they ask the server (jwt)',
      ).choices(['jwt', 'opaque']),
    )
    .addOption(
      durationOption('--cache <duration>', 'how long a verifier keeps an answer without asking again (60s)'),
    )
    .addOption(
      new Option('--leak-policy <what>', 'what happens to a key that is found in public (revoke)').choices([
        'revoke',
        'disable',
        'rotate',
        'tell',
      ]),
    )
    .addOption(durationOption('--leak-notice <duration>', 'with rotate: how long a leaked key goes on (1d)'))
    .addOption(
      parsedOption(
        '--key-max-age <duration>',
        'how old a key or a client secret may become before it is overdue (never)',
        (text) => {
          const seconds = text === 'never' ? null : durationSeconds(text)
          if (seconds === undefined) throw new Error('Expected a duration such as 90d, or never.')
          return { seconds }
        },
      ),
    )
    .addOption(durationOption('--rotation-notice <duration>', 'how long before that is warned (14d)'))
    .addOption(
      new Option('--self-rotation <how>', 'whether a key may replace itself (off)').choices([
        'off',
        'same_end',
        'renew',
      ]),
    )
    .option('--browser-keys', 'take live keys from browsers, where everyone can read them')
    .option('--no-browser-keys', 'refuse them')
    .option('--scopes-by-role', 'tokens of people have only those scopes that their roles allow')
    .option('--no-scopes-by-role', 'and whatever they consent to')
}

function gatherScopes(text: string, before: ScopeInput[] = []): ScopeInput[] {
  return [...before, parseScope(text)]
}

function bodyOf(options: ResourceOptions): Record<string, unknown> {
  const body = {
    name: options.name,
    scopes: options.scope,
    key_prefix: options.keyPrefix,
    key_lifetime_seconds: options.keyLifetime?.seconds,
    token_lifetime_seconds: options.tokenLifetime,
    token_algorithm: options.tokenAlgorithm,
    access_token_format: options.tokenFormat,
    cache_seconds: options.cache,
    allow_browser_keys: options.browserKeys,
    leak_policy: options.leakPolicy,
    leak_notice_seconds: options.leakNotice,
    key_max_age_seconds: options.keyMaxAge?.seconds,
    rotation_notice_seconds: options.rotationNotice,
    self_rotation: options.selfRotation,
    scopes_by_role: options.scopesByRole,
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}

function at(id: string): string {
  return `/v1/resources/${encodeURIComponent(id)}`
}

function columns(): Column<WireResource>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'NAME', cell: ({ name }) => name, cuttable: true },
    { title: 'URI', cell: ({ uri }) => uri, cuttable: true },
    {
      title: 'SCOPES',
      cell: ({ scopes }) => scopes.map(({ name }) => name).join(' ') || '-',
      cuttable: true,
    },
    { title: 'KEYS', cell: (resource) => `${resource.key_prefix}_…` },
    { title: 'KEYS LIVE', cell: (resource) => lifetime(resource) },
  ]
}

function lifetime({ key_lifetime_seconds: seconds }: WireResource) {
  return seconds === null ? ({ text: 'for ever', style: 'warn' } as const) : duration(seconds)
}

const SELF_ROTATION = {
  off: undefined,
  same_end: 'up to the same end',
  renew: 'for as long again',
} as const

function leakedKeys({ leak_policy: policy, leak_notice_seconds: notice }: WireResource): string {
  const words: Readonly<Record<string, string>> = {
    revoke: 'are revoked',
    disable: 'are disabled',
    rotate: `end after ${duration(notice)}`,
    tell: 'go on',
  }
  return words[policy] ?? policy
}

async function show({ out }: Cli, resource: WireResource): Promise<void> {
  if (out.isJson) return out.json(resource)
  await out.card([
    ['id', resource.id],
    ['name', resource.name],
    ['uri', resource.uri],
    ['key prefix', resource.key_prefix],
    ['keys live', lifetime(resource)],
    ['keys from browsers', resource.allow_browser_keys ? { text: 'taken', style: 'warn' } : 'refused'],
    ['scopes of people', resource.scopes_by_role ? 'as their roles allow' : undefined],
    [
      'tokens',
      `${resource.access_token_format === 'opaque' ? 'opaque' : resource.token_algorithm}, ${duration(resource.token_lifetime_seconds)}`,
    ],
    ['answers kept', duration(resource.cache_seconds)],
    ['leaked keys', leakedKeys(resource)],
    [
      'rotation',
      resource.key_max_age_seconds === null ? undefined : `by ${duration(resource.key_max_age_seconds)}`,
    ],
    ['keys replace themselves', SELF_ROTATION[resource.self_rotation]],
    ['created', out.time(resource.created_at)],
    ['changed', resource.updated_at === resource.created_at ? undefined : out.time(resource.updated_at)],
  ])
  if (resource.scopes.length === 0) return
  await out.line('')
  await out.write(
    out
      .table<WireResource['scopes'][number]>([
        { title: 'SCOPE', cell: ({ name }) => name },
        { title: 'ALLOWS', cell: ({ description }) => description || '-', cuttable: true },
      ])
      .lines(resource.scopes),
  )
}
