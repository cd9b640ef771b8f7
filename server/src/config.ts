/** Environment, file and command line → one frozen Config. Nothing else reads `process.env`. */
export { loadCliTarget, loadConfig } from './config/load-config.ts'
export type { Config, RateLimit } from './config/load-config.ts'
export type { Overrides } from './config/gather.ts'
export { ConfigError } from './config/config-error.ts'
export { isLoopback } from './config/check-together.ts'
export { withoutPassword } from './config/parse-setting.ts'
export { SETTINGS, variableOf } from './config/settings.ts'
export type { Setting, SettingName } from './config/settings.ts'
