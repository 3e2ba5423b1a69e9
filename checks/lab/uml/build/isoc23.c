// The C23 names that glibc 2.38 and newer give to these functions, for the functions of older ones.
#include <stdarg.h>

extern long old_strtol(const char *text, char **end, int base) __asm__("strtol");
extern unsigned long old_strtoul(const char *text, char **end, int base) __asm__("strtoul");
extern int old_vsscanf(const char *text, const char *format, va_list values) __asm__("__isoc99_vsscanf");

long __isoc23_strtol(const char *text, char **end, int base)
{
	return old_strtol(text, end, base);
}

unsigned long __isoc23_strtoul(const char *text, char **end, int base)
{
	return old_strtoul(text, end, base);
}

int __isoc23_sscanf(const char *text, const char *format, ...)
{
	va_list values;
	int count;

	va_start(values, format);
	count = old_vsscanf(text, format, values);
	va_end(values);
	return count;
}
