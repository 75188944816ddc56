import { group } from './programs.ts';

group('suites');
