/** The one script that pages load: the library's own file for browsers, and ours behind it. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export const SCRIPT_PATH = '/assets/page.js'

export interface PageScript {
  readonly text: string
  /** With a mark of its contents, so that browsers may keep it for ever. */
  readonly url: string
}

let script: PageScript | undefined

export function pageScript(): PageScript {
  return (script ??= read())
}

function read(): PageScript {
  const library = new URL('../dist/bundle/index.umd.min.js', import.meta.resolve('@simplewebauthn/browser'))
  const own = readFileSync(new URL('page-script.js', import.meta.url), 'utf8').replace(
    /^\/\*[\s\S]*?\*\/\n/,
    '',
  )
  const text = `${readFileSync(library, 'utf8')}\n${own}`
  const mark = createHash('sha256').update(text).digest('base64url').slice(0, 12)
  return { text, url: `${SCRIPT_PATH}?v=${mark}` }
}
