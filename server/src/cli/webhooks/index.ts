/** webhooks: who is told what happens, what was sent, and sending it again. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { confirm } from '../input/confirm.ts'
import { durationOption, listOption, timeOption } from '../input/options.ts'
import { printDone } from '../output/done.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Cell, Column } from '../output/table.ts'
import { plural } from '../output/text.ts'
import { call } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { WireDelivery, WireWebhook } from '../wire.ts'

const PATH = '/v1/webhooks'

type WithSecret = WireWebhook & { readonly secret: string }

export function define(command: Command, cli: Cli): void {
  addListOptions(command.command('list').description('List webhooks.')).action(
    cli.action((options: ListOptions) => printList(cli, PATH, {}, options, columns())),
  )

  command
    .command('create')
    .description('Have an address told what happens. Its secret is shown once.')
    .requiredOption('--url <url>', 'where to')
    .option('--name <name>', 'what it is for (its host)')
    .addOption(listOption('--event <type>', 'what to tell; again for more (all)'))
    .option('--tenant <id>', 'the events of this tenant alone')
    .option('--quiet', 'print the secret alone, for a pipe')
    .action(
      cli.action(
        async (options: {
          url: string
          name?: string
          event?: string[]
          tenant?: string
          quiet?: boolean
        }) => {
          const { url, name, event: events, tenant, quiet } = options
          const body = { url, name, events, tenant }
          await showSecret(cli, await createOnce<WithSecret>(await cli.client(), PATH, body), quiet)
        },
      ),
    )

  command
    .command('show <id>')
    .description('Show a webhook, never its secrets.')
    .action(
      cli.action(async (id: string) => show(cli, await call<WireWebhook>(await cli.client(), 'GET', at(id)))),
    )

  command
    .command('update <id>')
    .description('Change a webhook. Enabling it again forgets its failures.')
    .option('--url <url>', 'where to')
    .option('--name <name>', 'what it is for')
    .addOption(listOption('--event <type>', 'what to tell, the whole list'))
    .option('--all-events', 'tell everything')
    .option('--disable', 'tell it nothing any more')
    .option('--enable', 'go on')
    .action(
      cli.action(
        async (
          id: string,
          options: {
            url?: string
            name?: string
            event?: string[]
            allEvents?: boolean
            disable?: boolean
            enable?: boolean
          },
        ) => {
          const { url, name, event, allEvents, disable, enable } = options
          const body = {
            url,
            name,
            events: allEvents ? null : event,
            disabled: disable ? true : enable ? false : undefined,
          }
          await show(cli, await call<WireWebhook>(await cli.client(), 'PATCH', at(id), { body }))
        },
      ),
    )

  command
    .command('rotate-secret <id>')
    .description('Make a new secret, shown once; both sign for the overlap.')
    .addOption(durationOption('--overlap <duration>', 'how long the old one goes on signing (1d)'))
    .option('--quiet', 'print the secret alone, for a pipe')
    .action(
      cli.action(async (id: string, { overlap, quiet }: { overlap?: number; quiet?: boolean }) => {
        const body = { overlap_seconds: overlap }
        await showSecret(
          cli,
          await createOnce<WithSecret>(await cli.client(), at(id, 'secrets'), body),
          quiet,
        )
      }),
    )

  command
    .command('delete <id>')
    .description('Delete a webhook; what waits for it is forgotten.')
    .option('--yes', 'do not ask')
    .action(
      cli.action(async (id: string, { yes }: { yes?: boolean }) => {
        const client = await cli.client()
        const { url } = await call<WireWebhook>(client, 'GET', at(id))
        await confirm(cli.io, `${url} is told nothing any more, and what waits for it is forgotten.`, id, yes)
        await call(client, 'DELETE', at(id))
        await printDone(cli, { deleted: id }, `Deleted ${id}.`)
      }),
    )

  command
    .command('test <id>')
    .description('Queue a test message.')
    .action(
      cli.action(async (id: string) => {
        const answer = await call<{ message: string }>(await cli.client(), 'POST', at(id, 'test'))
        await printDone(
          cli,
          answer,
          `Queued ${answer.message}. Did it arrive? postern webhooks deliveries ${id}`,
        )
      }),
    )

  addListOptions(
    command.command('deliveries <id>').description('List what was sent and what waits, newest first.'),
  )
    .option('--state <state>', 'pending, delivered or failed')
    .option('--type <type>', 'of this type')
    .action(
      cli.action((id: string, { state, type, ...page }: ListOptions & { state?: string; type?: string }) =>
        printList(cli, at(id, 'deliveries'), { state, type }, page, deliveryColumns(cli)),
      ),
    )

  command
    .command('replay <id>')
    .description('Send again what was given up, with the ids that it had.')
    .option('--delivery <id>', 'this one alone, delivered or not')
    .option('--delivered', 'what was delivered as well')
    .addOption(timeOption('--since <time>', 'what happened since', cli.io))
    .addOption(timeOption('--until <time>', 'what happened before', cli.io))
    .action(
      cli.action(
        async (
          id: string,
          body: { delivery?: string; delivered?: boolean; since?: string; until?: string },
        ) => {
          const answer = await call<{ replayed: number }>(await cli.client(), 'POST', at(id, 'replay'), {
            body,
          })
          await printDone(cli, answer, `${plural(answer.replayed, 'message')} will be sent again.`)
        },
      ),
    )
}

function at(id: string, operation?: string): string {
  return `${PATH}/${encodeURIComponent(id)}${operation === undefined ? '' : `/${operation}`}`
}

function statusOf({ disabled, failing_since: failing }: WireWebhook): Cell {
  if (disabled) return { text: 'disabled', style: 'bad' }
  return failing === null ? { text: 'active', style: 'good' } : { text: 'failing', style: 'warn' }
}

function columns(): Column<WireWebhook>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'NAME', cell: ({ name }) => name, cuttable: true },
    { title: 'URL', cell: ({ url }) => url, cuttable: true },
    { title: 'EVENTS', cell: ({ events }) => events?.join(' ') ?? 'all', cuttable: true },
    { title: 'TENANT', cell: ({ tenant }) => tenant ?? 'all' },
    { title: 'STATUS', cell: statusOf },
  ]
}

function deliveryColumns({ out }: Cli): Column<WireDelivery>[] {
  const styles = { pending: 'warn', delivered: 'good', failed: 'bad' } as const
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'TYPE', cell: ({ type }) => type },
    { title: 'AT', cell: (delivery) => out.time(delivery.created_at) },
    { title: 'STATE', cell: ({ state }) => ({ text: state, style: styles[state] }) },
    { title: 'TRIES', cell: ({ attempts }) => String(attempts), align: 'right' },
    { title: 'NEXT', cell: (delivery) => out.time(delivery.next_at) },
    { title: 'WHY', cell: (delivery) => delivery.last_error ?? '-', cuttable: true },
  ]
}

async function showSecret(cli: Cli, hook: WithSecret, quiet: boolean | undefined): Promise<void> {
  const { out } = cli
  if (quiet) return out.line(hook.secret)
  if (out.isJson) return out.json(hook)
  await show(cli, hook)
  await out.line('')
  await out.line(hook.secret)
  await out.line('')
  await out.note('This is the secret of the webhook. It is shown this once: give it to whoever receives.')
}

async function show({ out }: Cli, hook: WireWebhook): Promise<void> {
  if (out.isJson) return out.json(hook)
  const now = hook.secrets.map(({ id, expires_at: ends }) =>
    ends === null ? id : `${id} (ends ${out.time(ends).text})`,
  )
  await out.card([
    ['id', hook.id],
    ['name', hook.name],
    ['url', hook.url],
    ['events', hook.events?.join(' ') ?? 'all'],
    ['tenant', hook.tenant ?? 'all'],
    ['status', statusOf(hook)],
    ['why', hook.disabled_reason ?? undefined],
    ['failing since', hook.failing_since === null ? undefined : out.time(hook.failing_since)],
    ['dropped', hook.dropped === 0 ? undefined : { text: plural(hook.dropped, 'message'), style: 'bad' }],
    ['secrets', now.join(', ')],
    ['created', out.time(hook.created_at)],
  ])
}
