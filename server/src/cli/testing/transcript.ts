/**
 * Transcripts: what was typed after `$ `, given on stdin after `< `, and then what came out: stdout as it is, stderr after
 * `! `, and the exit code after `? ` unless it is 0. Ids, keys and times are named by the order in which they appear, and
 * a name in a command stands for what it named: `$ postern keys show <key-1>`.
 */

export interface Step {
  readonly command: string
  readonly stdin: string
  readonly expected: string
}

export interface Transcript {
  /** The lines before the first command: what it is about, and `# local` or `# remote` when it is for one transport. */
  readonly preamble: string
  readonly steps: readonly Step[]
}

export function parseTranscript(text: string): Transcript {
  const [preamble = '', ...blocks] = text.split(/^(?=\$ )/m)
  const steps = blocks.map((block) => {
    const [command = '', ...rest] = block.trimEnd().split('\n')
    const isInput = (line: string): boolean => line.startsWith('< ')
    return {
      command: command.slice(2),
      stdin: rest
        .filter(isInput)
        .map((line) => `${line.slice(2)}\n`)
        .join(''),
      expected: rest.filter((line) => !isInput(line)).join('\n'),
    }
  })
  return { preamble, steps }
}

export function printTranscript({ preamble, steps }: Transcript): string {
  const blocks = steps.map(({ command, stdin, expected }) => {
    const input = stdin.replace(/^(?=.)/gm, '< ')
    return `$ ${command}\n${input}${expected === '' ? '' : `${expected}\n`}`
  })
  return `${preamble}${blocks.join('\n')}`
}

export function printOutcome(outcome: { stdout: string; stderr: string; exitCode: number }): string {
  const stderr = outcome.stderr.trimEnd() === '' ? [] : outcome.stderr.trimEnd().split('\n')
  return [
    ...(outcome.stdout === '' ? [] : [outcome.stdout.trimEnd()]),
    ...stderr.map((line) => `! ${line}`.trimEnd()),
    ...(outcome.exitCode === 0 ? [] : [`? ${outcome.exitCode}`]),
  ].join('\n')
}

/** What differs from run to run, as names; and back again. */
export class Names {
  readonly #byValue = new Map<string, string>()
  readonly #byName = new Map<string, string>()
  readonly #fixed: readonly (readonly [value: string, name: string])[]

  constructor(fixed: readonly (readonly [value: string, name: string])[]) {
    this.#fixed = fixed
    for (const [value, name] of fixed) this.#byName.set(name, value)
  }

  hide(text: string): string {
    let hidden = text
    for (const [value, name] of this.#fixed) hidden = hidden.replaceAll(value, name)
    return (
      hidden
        .replace(/\b[a-z]+_(?:live|test)_(?:[0-9A-Za-z]{50}|[0-9A-Za-z]{43})\b/g, (value) =>
          this.#name('secret', value),
        )
        // By the data folder it is the system user, by a server the operator.
        .replace(/^(by {2,})(?:system|operator key_[0-9A-Za-z]{22})/gm, '$1<me>')
        .replace(/(created[_ ]by"?:? *"?)(?:system|key_[0-9A-Za-z]{22})/g, '$1<me>')
        .replace(
          /\b(?:(?:ten|res|key|evt|cli|usr|iss|pln|rte)_[0-9A-Za-z]{22}|sec_[0-9A-Za-z]{14})\b(?=(  )?)/g,
          (value, gap?: string) =>
            // In a table the columns stay where they are.
            this.#name(value.slice(0, 3), value).padEnd(gap === undefined ? 0 : value.length),
        )
        .replace(/(cs_live_…)[0-9A-Za-z]{4}/g, '$1<hint>')
        .replace(/(_(?:live|test))_[0-9A-Za-z]{12}…[0-9A-Za-z]{4}/g, '$1_<hint>')
        .replace(/(look-up  +)[0-9A-Za-z]{12}/g, '$1<hint>')
        .replace(/"(lookup|last4)":( ?)"[0-9A-Za-z]+"/g, '"$1":$2"<hint>"')
        .replace(/(^|"seq":)\d{16}/gm, '$1<seq>')
        .replace(/("(?:at|drop_after)":)\d{13}/g, '$1<ms>')
        .replace(/("epoch":)"\w{12}"/g, '$1"<epoch>"')
        .replace(/("as_of": )\d+/g, '$1<position>')
        .replace(/("next_cursor": |--cursor )"?[\w-]{8,}"?/g, '$1<cursor>')
        .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|\d{4}-\d\d-\d\d \d\d:\d\dZ/g, '<time>')
        .replace(/(?<![\w-])[\w-]{43}(?![\w-])/g, (value) => this.#name('hash', value))
    )
  }

  show(text: string): string {
    return text.replace(/<[a-z0-9-]+>/g, (name) => this.#byName.get(name) ?? name)
  }

  #name(kind: string, value: string): string {
    const known = this.#byValue.get(value)
    if (known !== undefined) return known
    const count = [...this.#byValue.values()].filter((name) => name.startsWith(`<${kind}-`)).length
    const name = `<${kind}-${count + 1}>`
    this.#byValue.set(value, name)
    this.#byName.set(name, value)
    return name
  }
}

/** Words as a shell splits them, quotes included; nothing else of a shell. */
export function splitWords(command: string): string[] {
  const words = command.match(/(?:[^\s'"]+|'[^']*'|"[^"]*")+/g) ?? []
  return words.map((word) => word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'))
}
