cat > t.lua <<'LUA'
local f = assert(io.open("a", "w+")); f:write("one\ntwo\n", 42, "\n"); print(f:seek("end")); f:seek("set", 4); print(f:read("l", "n")); f:setvbuf("full", 8192); for i = 1, 10000 do f:write(i, "\n") end; f:close()
print(io.open("absent")); print(os.rename("a", "b"), os.rename("a", "c")); print(os.remove("nothing")); local n = 0; for l in io.lines("b") do n = n + #l end print(n); for a, b in io.lines("b", 3, "l") do print(a, b) break end
local t = os.tmpname(); print(type(t)); os.remove(t); local tmp = io.tmpfile(); tmp:write("t"); print(tmp:seek("cur")); tmp:close(); local p = io.popen("cat b | wc -l"); print(p:read("n")); print(p:close()); print(os.execute("mkdir d && exit 3")); print(io.open("d", "w")); print(pcall(io.lines, "none"))
local m = io.open("m.lua", "w"); m:write("return { v = ... }"); m:close(); package.path = "./?.lua"; print(require("m").v); print(loadfile("m.lua")("x").v); local a = io.open("b", "a"); a:write("end"); a:close(); local r = io.open("b", "rb"); r:seek("end", -3); print(r:read("a"), r:read("a"), r:read("l")); print(io.type(r), r:close(), io.type(r)); print(os.remove("d"), os.remove("b"))
LUA
lua5.4 t.lua; echo "status $?"; luac5.4 -o c.out t.lua; lua5.4 c.out | md5sum; echo 'print(arg[0], ...)' | lua5.4 - x y; chmod +x t.lua; sed -i '1i #!/usr/bin/lua5.4' t.lua; ./t.lua | tail -2; ls; rm -f *; echo scenario complete
