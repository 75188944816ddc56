cat > c.y <<'Y'
%{
#include <stdio.h>
int yylex(void); void yyerror(const char *s) { printf("%s\n", s); }
%}
%token N
%left '+' '-'
%left '*'
%%
l: | l e '\n' { printf("%d\n", $2); } | l '\n';
e: N | e '+' e { $$ = $1 + $3; } | e '-' e { $$ = $1 - $3; } | e '*' e { $$ = $1 * $3; } | '(' e ')' { $$ = $2; };
%%
extern FILE *yyin; int main(int c, char **v) { if (c > 1) yyin = fopen(v[1], "r"); return yyparse(); }
Y
printf '%%option noyywrap noinput nounput\n%%{\n#include <stdlib.h>\n#include "c.tab.h"\n%%}\n%%%%\n[0-9]+ { yylval = atoi(yytext); return N; }\n[ \\t] ;\n.|\\n return *yytext;\n' > c.l
bison -d -v --graph=c.dot c.y; echo "bison $?"; ls; flex -o c.c c.l; echo "flex $?"; gcc -o calc c.tab.c c.c; echo "gcc $?"; printf '1+2*3\n(4-1)*5\n' > in; ./calc in; ./calc < in; echo '1+' | ./calc; echo $?; bison --header=q.h -o q.c c.y; grep -c yyparse q.c; flex -t c.l | wc -l; flex -+ -o c.cc c.l 2> /dev/null; ls -s c.cc | wc -l; bison none.y 2>&1 | tail -1; printf '#include "x"\n' > m; printf 'changequote([,])define([f],[$1-$2])include([inc])f(1,2)\nsyscmd([ls | wc -l])divert(1)late\ndivert(0)early\nesyscmd([cat inc])maketemp([tXXXXXX])undivert([in])' > t.m4; echo 'f(a,b)' > inc; m4 t.m4 | sed 's/^t......$/temporary/; s/t[A-Za-z0-9]\{6\}1/temporary1/'; rm -f t??????; m4 -F frozen t.m4 > /dev/null; m4 -R frozen <<< 'f(3,4)'; rm -rf *; ls -A; echo scenario complete
