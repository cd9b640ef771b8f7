/** A setting that stops the start. The message is one sentence for the operator and never contains a secret. */
export class ConfigError extends Error {
  /** The variable or file key at fault. */
  readonly setting: string

  constructor(setting: string, message: string) {
    super(message)
    this.name = 'ConfigError'
    this.setting = setting
  }
}
