import { spawn } from 'node:child_process';

/**
 * Tells systemd how a service of `Type=notify` is (sd_notify(3)): that it is ready, that it stops,
 * and, where the unit has `WatchdogSec=`, again and again that it is well. A process whose event
 * loop stands still, or that says itself that it is not well, does not tell, and is restarted.
 *
 * systemd listens on a Unix datagram socket, which Node.js does not speak: `systemd-notify` does,
 * which comes with systemd. The unit needs `NotifyAccess=all`.
 */
export class SystemdNotifier {
  readonly #isListening: boolean;
  readonly #watchdogMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(environment: NodeJS.ProcessEnv = process.env) {
    this.#isListening = Boolean(environment.NOTIFY_SOCKET);
    const watchdogMs = Number(environment.WATCHDOG_USEC) / 1000;
    this.#watchdogMs = watchdogMs > 0 ? watchdogMs : undefined;
  }

  /** @param unhealthy why the process is not well, or undefined. */
  ready(unhealthy: () => string | undefined): void {
    this.#tell('--ready');
    if (!this.#isListening || this.#watchdogMs === undefined) return;
    const tellWell = () => unhealthy() === undefined && this.#tell('WATCHDOG=1');
    // Half of the time, as sd_watchdog_enabled(3) advises.
    this.#timer = setInterval(tellWell, this.#watchdogMs / 2);
  }

  /** From now on, systemd waits for `TimeoutStopSec=`, and its watchdog for nothing. */
  stopping(): void {
    this.#tell('STOPPING=1');
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tell(what: string): void {
    if (!this.#isListening) return;
    // Where it is not installed, systemd finds the service never to be ready, and says so.
    spawn('systemd-notify', [what], { stdio: 'ignore' }).on('error', () => {});
  }
}
