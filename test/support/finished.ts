/** What steps end with (models/loop-share.ts), done without a pause. */
import type { Steps } from '../../src/models/loop-share.ts';

export function finished<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
