/** The pattern of keys for others' scanners, which know no checksum. */

/** Of keys with one of these prefixes; without any, of all keys. As GitHub's partner form takes it. */
export function keyPattern(prefixes: readonly string[]): string {
  return `${startOf(prefixes)}_(?:live|test)_[0-9A-Za-z]{50}`
}

/** Rules for gitleaks, one a prefix: a table of its configuration file. */
export function gitleaksRules(prefixes: readonly string[]): string {
  return ruled(prefixes)
    .map(({ name, only, keywords }) =>
      [
        '[[rules]]',
        `id = "${name}"`,
        'description = "Postern API key"',
        `regex = '''\\b(${keyPattern(only)})\\b'''`,
        `keywords = [${keywords.map((word) => `"${word}"`).join(', ')}]`,
      ].join('\n'),
    )
    .join('\n\n')
}

/** Custom detectors of trufflehog: its configuration file. */
export function trufflehogDetectors(prefixes: readonly string[]): string {
  const detectors = ruled(prefixes).flatMap(({ name, only, keywords }) => [
    `  - name: ${name}`,
    '    keywords:',
    ...keywords.map((word) => `      - ${word}`),
    '    regex:',
    `      key: '\\b(${keyPattern(only)})\\b'`,
  ])
  return ['detectors:', ...detectors].join('\n')
}

function ruled(prefixes: readonly string[]) {
  if (prefixes.length === 0) return [{ name: 'postern', only: [], keywords: ['_live_', '_test_'] }]
  return prefixes.map((prefix) => ({
    name: `postern_${prefix}`,
    only: [prefix],
    keywords: [`${prefix}_live_`, `${prefix}_test_`],
  }))
}

function startOf(prefixes: readonly string[]): string {
  if (prefixes.length === 0) return '[a-z][a-z0-9]{0,15}'
  return prefixes.length === 1 ? (prefixes[0] as string) : `(?:${prefixes.join('|')})`
}
