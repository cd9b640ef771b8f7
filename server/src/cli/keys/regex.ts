/** keys regex: the pattern of keys, for scanners that others run. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { listOption } from '../input/options.ts'
import { call } from '../transport/api-client.ts'
import type { WireResource } from '../wire.ts'

interface RegexOptions {
  readonly resource?: string
  readonly prefix?: string[]
  readonly format: 'regex' | 'gitleaks' | 'trufflehog'
}

export function defineRegex(command: Command, cli: Cli): void {
  command
    .command('regex')
    .description(
      "Print the pattern of keys: for GitHub's partner form, gitleaks or trufflehog. Offline unless --resource.",
    )
    .option('--resource <uri>', 'of the keys of this API, by URI or id')
    .addOption(listOption('--prefix <prefix>', 'of keys that begin so; again for more').conflicts('resource'))
    .addOption(
      new Option('--format <format>', 'what it is for')
        .choices(['regex', 'gitleaks', 'trufflehog'])
        .default('regex'),
    )
    .action(cli.action((options: RegexOptions) => printPattern(cli, options)))
}

async function printPattern(cli: Cli, { resource, prefix = [], format }: RegexOptions): Promise<void> {
  const { PREFIX_PATTERN } = await import('../../api-keys/index.ts')
  const { gitleaksRules, keyPattern, trufflehogDetectors } = await import('../../leaks/index.ts')
  const odd = prefix.find((one) => !new RegExp(PREFIX_PATTERN).test(one))
  if (odd !== undefined)
    throw usageError(`"${odd}" is no prefix of keys.`, 'Small letters and digits, at most 16.')
  const prefixes = resource === undefined ? prefix : [await prefixOf(cli, resource)]
  const text = { regex: keyPattern, gitleaks: gitleaksRules, trufflehog: trufflehogDetectors }[format](
    prefixes,
  )
  if (cli.out.isJson) await cli.out.json({ prefixes, format, pattern: keyPattern(prefixes), text })
  else await cli.out.line(text)
  if (prefixes.includes('sk'))
    await cli.out.note(
      'Others have keys that begin with sk_ too: give the API a prefix of its own before you hand this to a scanner.',
    )
}

async function prefixOf(cli: Cli, resource: string): Promise<string> {
  const path = `/v1/resources/${encodeURIComponent(resource)}`
  return (await call<WireResource>(await cli.client(), 'GET', path)).key_prefix
}
