import { group } from './programs.ts';

group('tools');
