/** The table of docs/configuration.md, from the settings themselves; a test keeps the page equal to it. */
import { SETTINGS, variableOf } from './settings.ts'
import type { Kind, Setting } from './settings.ts'

export function settingsTable(): string {
  const rows = (SETTINGS as readonly Setting[]).map((setting) => {
    const variable = `\`${variableOf(setting.name)}\`${setting.secret ? ' or `…_FILE`' : ''}`
    const key = setting.kind.is === 'cli' || setting.name === 'config' ? '–' : `\`${setting.name}\``
    const standard = setting.default ? `\`${setting.default}\`` : '–'
    return `| ${variable} | ${key} | ${takes(setting.kind)} | ${standard} | ${setting.doc} |`
  })
  return [
    '| variable | in the file | takes | default | what it does |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function takes(kind: Kind): string {
  switch (kind.is) {
    case 'integer':
      return `${kind.from} to ${kind.to}`
    case 'choice':
      return kind.of.map((one) => `\`${one}\``).join(' ')
    case 'flag':
      return '`true` `false`'
    case 'secret':
      return `secret, ≥ ${kind.minimumLength} characters`
    case 'postgresUrl':
    case 'valkeyUrl':
      return 'secret, URL'
    case 'cidrs':
      return 'list of networks'
    case 'origins':
      return 'list of origins'
    case 'path':
      return 'file or folder'
    case 'url':
      return 'URL'
    case 'host':
      return 'host'
    case 'smtpUrl':
      return 'secret, URL'
    case 'mailbox':
      return 'address'
    case 'tenant':
      return 'id of a tenant'
    case 'cli':
      return 'URL or key'
  }
}
