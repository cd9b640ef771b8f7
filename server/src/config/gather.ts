/**
 * Where each setting comes from: the command line, then the environment, then the file. The first that has it wins; what
 * is left out keeps its default. Everything is text here; `parse-setting.ts` reads it.
 */
import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { ConfigError } from './config-error.ts'
import { nearest } from './nearest.ts'
import { SETTINGS, variableOf } from './settings.ts'
import type { Setting, SettingName } from './settings.ts'

/** What the command line gives, by setting name. */
export type Overrides = Readonly<Partial<Record<SettingName, string | number | boolean | undefined>>>

export interface Given {
  readonly text: string
  /** How the operator knows it: `POSTERN_PORT`, `--port`, `port in postern.toml`. */
  readonly source: string
}

export interface Gathered {
  readonly given: ReadonlyMap<string, Given>
  readonly warnings: readonly string[]
}

type Layer = ReadonlyMap<string, Given>

export function gather(env: NodeJS.ProcessEnv, overrides: Overrides): Gathered {
  const warnings: string[] = []
  const commandLine = fromCommandLine(overrides)
  const environment = fromEnvironment(env, warnings)
  const named = commandLine.get('config') ?? environment.get('config')
  const file: Layer = named ? fromFile(named, warnings) : new Map()

  const given = new Map<string, Given>()
  for (const setting of SETTINGS as readonly Setting[]) {
    for (const layer of [commandLine, environment, file]) {
      const value = layer.get(setting.name) ?? readSecretFile(setting, layer, warnings)
      if (value === undefined) continue
      given.set(setting.name, value)
      break
    }
  }
  return { given, warnings }
}

function fromCommandLine(overrides: Overrides): Layer {
  const layer = new Map<string, Given>()
  for (const [name, value] of Object.entries(overrides))
    if (value !== undefined)
      layer.set(name, { text: String(value), source: `--${name.replaceAll('_', '-')}` })
  return layer
}

/** The names that a layer may use: each setting's, and `<secret>_file`. */
const NAMES: readonly string[] = (SETTINGS as readonly Setting[]).flatMap((setting) =>
  setting.secret ? [setting.name, `${setting.name}_file`] : [setting.name],
)

/** Kubernetes puts these into every pod beside a service that is called `postern`. */
const SERVICE_LINK = /^POSTERN_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP)(_\w+)?)$/

function fromEnvironment(env: NodeJS.ProcessEnv, warnings: string[]): Layer {
  const layer = new Map<string, Given>()
  let serviceLinks = false
  for (const [variable, text] of Object.entries(env)) {
    // A compose file passes on unset variables as empty ones.
    if (!variable.startsWith('POSTERN_') || text === undefined || text === '') continue
    const name = variable.slice('POSTERN_'.length).toLowerCase()
    const isLink = SERVICE_LINK.test(variable) || (variable === 'POSTERN_PORT' && text.startsWith('tcp://'))
    if (isLink) serviceLinks = true
    else if (NAMES.includes(name) && variable === variableOf(name))
      layer.set(name, { text, source: variable })
    else
      warnings.push(
        `${variable} is not a setting and has no effect${suggest(variable, NAMES.map(variableOf))}.`,
      )
  }
  if (serviceLinks)
    warnings.push(
      'Kubernetes has put variables of a service named "postern" into this environment (as POSTERN_PORT=tcp://…); ' +
        'they are ignored here, and `enableServiceLinks: false` in the pod keeps them out.',
    )
  return layer
}

function fromFile(named: Given, warnings: string[]): Layer {
  const fileName = named.text
  const text = readText(fileName, named.source, 'a TOML file of settings')
  let table: Record<string, unknown>
  try {
    // Loaded only where there is a file.
    const { parse } = createRequire(import.meta.url)('smol-toml') as typeof import('smol-toml')
    table = parse(text)
  } catch (error) {
    // The parser's own message shows the line at fault, which may hold a secret.
    const line = (error as { line?: unknown }).line
    throw new ConfigError(
      'config',
      `${fileName} is not valid TOML${typeof line === 'number' ? ` (line ${line})` : ''}; expected lines such as: port = 4800`,
    )
  }
  const layer = new Map<string, Given>()
  for (const [key, value] of Object.entries(table)) {
    const source = `${key} in ${fileName}`
    if (!NAMES.includes(key) || key === 'config')
      throw new ConfigError(
        key,
        `${source} is not a setting${suggest(key, NAMES)}; docs/configuration.md lists them all.`,
      )
    layer.set(key, { text: textOf(value, source, key), source })
  }
  if ((SETTINGS as readonly Setting[]).some((setting) => setting.secret && layer.has(setting.name)))
    warnWhenOthersRead(fileName, fileName, warnings)
  return layer
}

function textOf(value: unknown, source: string, key: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value)
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(',')
  throw new ConfigError(key, `${source} is a table or a date; expected one value, or a list of texts.`)
}

function readSecretFile(setting: Setting, layer: Layer, warnings: string[]): Given | undefined {
  const pointer = setting.secret ? layer.get(`${setting.name}_file`) : undefined
  if (!pointer) return undefined
  const text = readText(pointer.text, pointer.source, 'a readable file that holds the secret')
  warnWhenOthersRead(pointer.text, pointer.source, warnings)
  return { text: text.replace(/[\r\n]+$/, ''), source: pointer.source }
}

/** Both spellings in one layer leave it open which one is meant. */
export function refuseBoth(env: NodeJS.ProcessEnv): void {
  for (const setting of SETTINGS as readonly Setting[]) {
    const variable = variableOf(setting.name)
    if (setting.secret && env[variable] && env[`${variable}_FILE`])
      throw new ConfigError(variable, `${variable} and ${variable}_FILE are both set; keep one of them.`)
  }
}

function readText(fileName: string, source: string, expected: string): string {
  try {
    return readFileSync(fileName, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const fault = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? 'unknown'})`
    throw new ConfigError(source, `${source} names ${fileName}, which ${fault}; expected ${expected}.`)
  }
}

function warnWhenOthersRead(fileName: string, source: string, warnings: string[]): void {
  // Windows has no such bits, and says 0o666 for all.
  if (process.platform === 'win32' || (statSync(fileName).mode & 0o077) === 0) return
  warnings.push(
    `${source}: other users of this machine can read ${fileName}, which holds a secret; run: chmod 600 ${fileName}`,
  )
}

function suggest(word: string, known: readonly string[]): string {
  const found = nearest(word, known)
  return found === undefined ? '' : ` (did you mean ${found}?)`
}
