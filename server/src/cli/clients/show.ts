/** Clients and their secrets, as tables and cards show them. */
import type { Cli } from '../cli.ts'
import { statusCell } from '../output/credential.ts'
import type { Column } from '../output/table.ts'
import type { WireClient, WireClientSecret } from '../wire.ts'
import { shortGrant } from './settings.ts'

export function clientColumns({ out }: Cli): Column<WireClient>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'NAME', cell: ({ name }) => name, cuttable: true },
    { title: 'KIND', cell: ({ kind }) => kind },
    { title: 'TENANT', cell: ({ tenant }) => tenant ?? 'all' },
    { title: 'STATUS', cell: status },
    { title: 'CREATED', cell: (client) => out.time(client.created_at) },
  ]
}

export async function showClient(cli: Cli, client: WireClient): Promise<void> {
  if (cli.out.isJson) return cli.out.json(client)
  await printClient(cli, client)
  if (client.secrets.length === 0) return
  await cli.out.line('')
  await cli.out.write(cli.out.table(secretColumns(cli)).lines(client.secrets))
}

/** The card alone. */
export async function printClient({ out }: Cli, client: WireClient): Promise<void> {
  await out.card([
    ['id', client.id],
    ['name', client.name],
    ['registered', client.self_registered ? { text: 'by itself', style: 'warn' } : undefined],
    ['kind', client.kind],
    ['tenant', client.tenant ?? 'all'],
    ['status', status(client)],
    ['grants', client.grant_types.map(shortGrant).join(' ')],
    ['authenticates', client.auth_method],
    ['redirects to', words(client.redirect_uris)],
    ['after sign-out', words(client.post_logout_redirect_uris)],
    ['scripts from', words(client.cors_origins)],
    ['may ask for', client.resources.map(resourceText).join(', ') || '(nothing)'],
    ['introspects', words(client.introspects)],
    ['consent', client.first_party ? { text: 'not asked for', style: 'warn' } : 'asked for'],
    ['tokens bound', client.dpop_bound ? 'always (DPoP)' : undefined],
    [
      'ID tokens',
      client.id_token_signed_response_alg === 'ES256' ? undefined : client.id_token_signed_response_alg,
    ],
    ['public keys', client.jwks_uri ?? (client.jwks ? `${client.jwks.keys.length} given` : undefined)],
    ['told of sign-out', client.backchannel_logout_uri ?? undefined],
    ['created', out.time(client.created_at)],
    ['created by', client.created_by],
    ['changed', client.updated_at === client.created_at ? undefined : out.time(client.updated_at)],
  ])
}

function secretColumns({ out }: Cli): Column<WireClientSecret>[] {
  return [
    { title: 'SECRET', cell: ({ id }) => id },
    { title: 'ENDS WITH', cell: ({ last4 }) => `cs_live_…${last4}` },
    { title: 'CREATED', cell: (secret) => out.time(secret.created_at) },
    { title: 'EXPIRES', cell: (secret) => out.time(secret.expires_at, 'never') },
  ]
}

function status({ disabled }: WireClient) {
  return statusCell(disabled ? 'disabled' : 'active')
}

function words(list: readonly string[]): string | undefined {
  return list.length === 0 ? undefined : list.join(' ')
}

function resourceText({ resource, scopes }: WireClient['resources'][number]): string {
  return scopes === null ? resource : `${resource} (${scopes.join(' ')})`
}
