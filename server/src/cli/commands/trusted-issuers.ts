/** trusted-issuers: OpenID providers whose JWTs one of our APIs accepts. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { confirm } from '../input/confirm.ts'
import { durationOption, listOption, parsedOption } from '../input/options.ts'
import { printDone } from '../output/done.ts'
import type { Column } from '../output/table.ts'
import { duration } from '../output/times.ts'
import { call } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { WireTrustedIssuer } from '../wire.ts'

const PATH = '/v1/trusted-issuers'

interface CreateOptions {
  readonly issuer: string
  readonly resource: string
  readonly name: string
  readonly audience: string[]
  readonly tenant?: string
  readonly tenantClaim?: string
  readonly tenantClaimIs?: string
  readonly subClaim?: string
  readonly scopesClaim?: string
  readonly scopeMap?: Record<string, string[]>
  readonly rolesClaim?: string
  readonly prefix?: string
  readonly algorithm?: string[]
  readonly jwksUri?: string
  readonly longest?: number
}

export function define(command: Command, cli: Cli): void {
  command
    .command('list')
    .description('List the trusted issuers.')
    .action(
      cli.action(async () => {
        const answer = await call<{ data: WireTrustedIssuer[] }>(await cli.client(), 'GET', PATH)
        if (cli.out.isJson) await cli.out.json(answer)
        else if (answer.data.length === 0) await cli.out.note('Nothing there.')
        else await cli.out.write(cli.out.table(columns(cli)).lines(answer.data))
      }),
    )

  command
    .command('create')
    .description('Accept the JWTs of an OpenID provider for one of your APIs.')
    .requiredOption('--issuer <url>', 'what stands in its iss, exactly')
    .requiredOption('--resource <uri>', 'the API, by URI or id')
    .requiredOption('--name <name>', 'its name, for people')
    .addOption(
      listOption('--audience <aud>', 'what must stand in aud; again for others').makeOptionMandatory(),
    )
    .option('--tenant <id>', 'all of its tokens belong to this tenant')
    .addOption(
      new Option('--tenant-claim <claim>', 'or: the claim that names the tenant').conflicts('tenant'),
    )
    .addOption(
      new Option('--tenant-claim-is <what>', 'how it names it (external_id)').choices(['id', 'external_id']),
    )
    .option('--sub-claim <claim>', 'who it is (sub); a claim, or a JSON Pointer such as /user/id')
    .option('--scopes-claim <claim>', 'what it may do (scope)')
    .addOption(
      parsedOption<Record<string, string[]>>(
        '--scope-map <theirs=ours>',
        'their word and scopes of the API, such as "admin=orders:read orders:write"; again for more',
        (text, before = {}) => ({ ...before, ...parseMapping(text) }),
      ),
    )
    .option('--roles-claim <claim>', 'where roles stand (none)')
    .option('--prefix <prefix>', 'what stands before | in the subject (the issuer)')
    .addOption(listOption('--algorithm <name>', 'how it may sign; again for more'))
    .option('--jwks-uri <url>', 'where its keys are (found by discovery)')
    .addOption(durationOption('--longest <duration>', 'how long a token counts after its iat at most (1d)'))
    .action(cli.action((options: CreateOptions) => create(cli, options)))

  command
    .command('show <id>')
    .description('Show a trusted issuer.')
    .action(
      cli.action(async (id: string) =>
        show(cli, await call<WireTrustedIssuer>(await cli.client(), 'GET', at(id))),
      ),
    )

  command
    .command('delete <id>')
    .description('Stop trusting an issuer: all of its tokens stop working at once, for ever.')
    .option('--yes', 'do not ask')
    .action(
      cli.action(async (id: string, { yes }: { yes?: boolean }) => {
        const client = await cli.client()
        const { issuer } = await call<WireTrustedIssuer>(client, 'GET', at(id))
        await confirm(cli.io, `All tokens of ${issuer} stop working at once, for ever.`, id, yes)
        await call(client, 'DELETE', at(id))
        await printDone(cli, { deleted: id }, `Deleted ${id}.`)
      }),
    )
}

async function create(cli: Cli, options: CreateOptions): Promise<void> {
  if (options.tenant === undefined && options.tenantClaim === undefined)
    throw usageError(
      'Whose are its tokens?',
      'Give --tenant, or --tenant-claim when each token names its own.',
    )
  const body = {
    issuer: options.issuer,
    resource: options.resource,
    name: options.name,
    audiences: options.audience,
    subject_prefix: options.prefix,
    algorithms: options.algorithm,
    jwks_uri: options.jwksUri,
    longest_token_seconds: options.longest,
    claims: {
      sub: options.subClaim,
      scopes: options.scopesClaim,
      scope_map: options.scopeMap,
      roles: options.rolesClaim,
      tenant: options.tenant,
      tenant_claim: options.tenantClaim,
      tenant_claim_is: options.tenantClaimIs,
    },
  }
  await show(cli, await createOnce<WireTrustedIssuer>(await cli.client(), PATH, body))
}

function parseMapping(text: string): Record<string, string[]> {
  const cut = text.indexOf('=')
  if (cut < 1) throw new Error('Expected theirs=ours, such as "admin=orders:read orders:write".')
  const ours = text.slice(cut + 1).split(/\s+/)
  return { [text.slice(0, cut)]: ours.filter((word) => word !== '') }
}

function at(id: string): string {
  return `${PATH}/${encodeURIComponent(id)}`
}

function columns({ out }: Cli): Column<WireTrustedIssuer>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'NAME', cell: ({ name }) => name, cuttable: true },
    { title: 'ISSUER', cell: ({ issuer }) => issuer, cuttable: true },
    { title: 'API', cell: ({ resource }) => resource, cuttable: true },
    { title: 'CREATED', cell: ({ created_at: created }) => out.time(created) },
  ]
}

async function show({ out }: Cli, issuer: WireTrustedIssuer): Promise<void> {
  if (out.isJson) return out.json(issuer)
  const { claims } = issuer
  await out.card([
    ['id', issuer.id],
    ['name', issuer.name],
    ['issuer', issuer.issuer],
    ['api', issuer.resource],
    ['audiences', issuer.audiences.join(' ')],
    ['algorithms', issuer.algorithms.join(' ')],
    ['keys', issuer.jwks_uri ?? 'found by discovery'],
    ['subjects', `${issuer.subject_prefix}|<${claims.sub}>`],
    ['tenant', claims.tenant ?? `by ${claims.tenant_claim}, our ${claims.tenant_claim_is}`],
    ['scopes', `in ${claims.scopes}`],
    ['scope map', claims.scope_map === null ? undefined : JSON.stringify(claims.scope_map)],
    ['roles', claims.roles === null ? undefined : `in ${claims.roles}`],
    ['counts at most', duration(issuer.longest_token_seconds)],
    ['revoked before', issuer.revoked_before === null ? undefined : out.time(issuer.revoked_before)],
    ['created', out.time(issuer.created_at)],
    ['changed', issuer.updated_at === issuer.created_at ? undefined : out.time(issuer.updated_at)],
  ])
}
